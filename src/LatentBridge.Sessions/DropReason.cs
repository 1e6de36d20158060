namespace LatentBridge.Sessions;

/// <summary>Why a latent gave no picture.</summary>
public enum DropReason
{
    /// <summary>A newer latent of the stream came.</summary>
    Replaced,

    /// <summary>Its run was cancelled, or the mapping was exchanged.</summary>
    Cancelled,

    /// <summary>Its run ended, or a newer run began.</summary>
    Ended,

    /// <summary>The slot's header lies.</summary>
    BadSlot,

    /// <summary>Shape or channels do not fit the format.</summary>
    BadLatent,

    /// <summary>The picture does not fit an image slot.</summary>
    ImageSlotTooSmall,

    /// <summary>The decoder failed.</summary>
    Failed,
}

/// <summary>Spelling of <see cref="DropReason"/> in the protocol.</summary>
public static class DropReasonExtensions
{
    /// <summary>As <c>docs/protocol.md</c> spells it.</summary>
    public static string Name(this DropReason reason) => reason switch
    {
        DropReason.Replaced => "replaced",
        DropReason.Cancelled => "cancelled",
        DropReason.Ended => "ended",
        DropReason.BadSlot => "bad-slot",
        DropReason.BadLatent => "bad-latent",
        DropReason.ImageSlotTooSmall => "image-slot-too-small",
        _ => "failed",
    };
}
