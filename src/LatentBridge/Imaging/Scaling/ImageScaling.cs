namespace LatentBridge.Imaging.Scaling;

/// <summary>How a picture is brought to another size.</summary>
public enum ImageScaling
{
    /// <summary>The area average when shrinking, bicubic (Catmull-Rom) when enlarging.</summary>
    Smooth,

    /// <summary>The nearest pixel: cells stay visible as squares.</summary>
    Nearest,
}
