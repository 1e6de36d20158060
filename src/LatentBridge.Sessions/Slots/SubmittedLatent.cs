using LatentBridge.Ipc;

namespace LatentBridge.Sessions;

/// <summary>A latent that the shim handed over, with a checked copy of its header and the time when it came.</summary>
readonly record struct SubmittedLatent(int Slot, LatentSlotHeader Header, long Timestamp)
{
    /// <summary>The run's last step.</summary>
    public bool IsLastStep => (Header.Flags & FrameMarks.LastStep) != 0;

    /// <summary>Of its frames the last is shown.</summary>
    public bool ShowsLastFrame => (Header.Flags & FrameMarks.ShowsLastFrame) != 0;

    /// <summary>What to say when this latent gives no picture.</summary>
    public DroppedLatent Drop(DropReason reason, string? detail = null, long needed = 0) =>
        new(Header.Sequence, Header.Run, Header.Stream, Header.Step, reason, detail, needed);
}
