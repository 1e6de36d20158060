namespace LatentBridge.Ipc;

/// <summary>Flags of a slot header.</summary>
[Flags]
public enum FrameMarks : uint
{
    /// <summary>Nothing special.</summary>
    None = 0,

    /// <summary>The run's last step.</summary>
    LastStep = 1,

    /// <summary>The first frame of the run.</summary>
    FirstFrame = 2,

    /// <summary>Only in image slots: the latent held values that were NaN or infinite.</summary>
    NotFinite = 4,

    /// <summary>Only in latent slots: of several frames the last is shown; those before it are what a video decoder remembers.</summary>
    ShowsLastFrame = 8,
}
