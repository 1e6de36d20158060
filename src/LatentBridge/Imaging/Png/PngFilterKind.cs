namespace LatentBridge.Imaging.Png;

/// <summary>How a row's bytes are predicted from their neighbours (PNG specification, section 9).</summary>
enum PngFilterKind : byte
{
    /// <summary>Not at all.</summary>
    None = 0,

    /// <summary>From the pixel to the left.</summary>
    Sub = 1,

    /// <summary>From the pixel above.</summary>
    Up = 2,

    /// <summary>From the mean of both, rounded down.</summary>
    Average = 3,

    /// <summary>From left, above or above left: whichever is closest to left + above - above left.</summary>
    Paeth = 4,
}
