using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Previews;

namespace LatentBridge.Sessions;

/// <summary>The picture that the worker makes; one instance, used again and again.</summary>
sealed class Job
{
    public RenderContext Context { get; private set; } = null!;

    /// <summary>The stream that shows the picture; null for a single picture.</summary>
    public PreviewStream? Stream { get; private set; }

    /// <summary>The single picture that was asked for; null for a stream's.</summary>
    public DecodeRequest? Request { get; private set; }

    public SubmittedLatent Latent { get; private set; }

    public int ImageSlot { get; private set; }

    // As they were when the work began: a newer run may want others meanwhile.
    public LatentFormat? Format { get; set; }

    /// <summary>Somebody named the format of the stream.</summary>
    public bool IsFormatNamed { get; private set; }

    public LatentSpace Space { get; private set; }

    public string? Model { get; private set; }

    public PreviewOptions Options { get; private set; } = PreviewOptions.Default;

    /// <summary>What is wrong with the run; null when nothing is.</summary>
    public RunAlarm? Alarm { get; set; }

    /// <summary>Set when the picture must not be shown any more.</summary>
    public DropReason? Stopped { get; set; }

    /// <summary>Somebody waits for this one: it is the run's last step, or a single picture.</summary>
    public bool IsAwaited => Request is not null || Latent.IsLastStep;

    public void Start(RenderContext context, PreviewStream? stream, DecodeRequest? request, in SubmittedLatent latent, int imageSlot)
    {
        Context = context;
        Stream = stream;
        Request = request;
        Latent = latent;
        ImageSlot = imageSlot;
        Format = context.Format;
        IsFormatNamed = stream is { IsFormatGuessed: false };
        Space = context.Space;
        Model = context.Model;
        Options = latent.ShowsLastFrame ? context.OptionsForLastFrame : context.Options;
        Alarm = null;
        Stopped = null;
    }
}
