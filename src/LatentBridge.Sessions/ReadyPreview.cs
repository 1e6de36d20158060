using LatentBridge.Previews;

namespace LatentBridge.Sessions;

/// <summary>A finished picture in an image slot: what its header and the protocol's <c>ready</c> say.</summary>
/// <param name="Slot">Image slot.</param>
/// <param name="Sequence">Sequence of the latent it was made from.</param>
/// <param name="Run">Its run.</param>
/// <param name="Stream">Its stream.</param>
/// <param name="Step">Its 0-based step.</param>
/// <param name="TotalSteps">Steps of the run, 0 when unknown.</param>
/// <param name="Picture">Size, encoding, length and times.</param>
/// <param name="Decoder">Id of the decoder that made it.</param>
/// <param name="WaitMilliseconds">From submit to the beginning of the work.</param>
/// <param name="Note">Why the decoder that somebody chose did not make it, in a few words; null when it did.</param>
/// <param name="Warning">What somebody should do something about; null when there is nothing.</param>
/// <param name="Alarm">What is wrong with the run; null when nothing is.</param>
public readonly record struct ReadyPreview(
    int Slot,
    ulong Sequence,
    ulong Run,
    uint Stream,
    int Step,
    int TotalSteps,
    PreviewResult Picture,
    string Decoder,
    double WaitMilliseconds,
    string? Note = null,
    string? Warning = null,
    RunAlarm? Alarm = null);
