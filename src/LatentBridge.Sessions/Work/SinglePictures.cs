using System.Diagnostics.CodeAnalysis;

namespace LatentBridge.Sessions;

/// <summary>Single pictures that somebody waits for, in the order in which they were asked for.</summary>
/// <remarks>The session's lock guards it.</remarks>
sealed class SinglePictures(SlotTable slots, Workbench bench, IPreviewSink sink) : IDisposable
{
    readonly Queue<(DecodeRequest Request, SubmittedLatent Latent)> _waiting = new();

    /// <summary>Of the picture made last.</summary>
    public RenderContext Context { get; } = new();

    /// <summary>They wait until the decoders on this machine are known: nobody would come back for a better picture.</summary>
    public bool AreHeld { get; set; }

    public void Add(DecodeRequest request, in SubmittedLatent latent) => _waiting.Enqueue((request, latent));

    /// <summary>Takes the oldest and says what picture is wanted.</summary>
    public bool TryTake([NotNullWhen(true)] out DecodeRequest? request, out SubmittedLatent latent)
    {
        (request, latent) = (null, default);
        if (AreHeld || !_waiting.TryDequeue(out (DecodeRequest Request, SubmittedLatent Latent) next))
        {
            return false;
        }

        (request, latent) = next;
        Context.Want(request.Format, request.Space, request.Options, request.Options.Calibrate ? request.Model : null);
        return true;
    }

    /// <summary>Answers all of them without a picture, and stops the one in work.</summary>
    public void DropAll(DropReason reason)
    {
        bench.Stop(null, reason);
        while (_waiting.TryDequeue(out (DecodeRequest Request, SubmittedLatent Latent) waiting))
        {
            slots.GiveBack(waiting.Latent);
            sink.DecodeFailed(waiting.Request, waiting.Latent.Drop(reason));
        }
    }

    public void Dispose() => Context.Dispose();
}
