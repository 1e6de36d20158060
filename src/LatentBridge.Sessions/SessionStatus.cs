namespace LatentBridge.Sessions;

/// <summary>What a session does at the moment; the protocol's <c>status</c>. Times are null until measured.</summary>
/// <param name="UptimeMilliseconds">Since the session began.</param>
/// <param name="MemoryBytes">Resident memory of the process.</param>
/// <param name="Generation">Of the mapping, 0 when none is attached.</param>
/// <param name="Streams">Each stream that was seen.</param>
/// <param name="Decoders">Each decoder of the formats seen.</param>
public sealed record SessionStatus(
    double UptimeMilliseconds, long MemoryBytes, uint Generation, IReadOnlyList<StreamStatus> Streams, IReadOnlyList<DecoderStatus> Decoders);

/// <summary>One stream of a <see cref="SessionStatus"/>.</summary>
/// <param name="Stream">Its number.</param>
/// <param name="Run">The run it shows.</param>
/// <param name="Format">Id of the format, null until known.</param>
/// <param name="FormatGuessed">True when nobody named the format.</param>
/// <param name="Decoder">Id of the decoder in use, null before the first picture.</param>
/// <param name="Source">Where that decoder's numbers came from.</param>
/// <param name="Reason">Why that decoder, as a sentence.</param>
/// <param name="StepMilliseconds">Time of a sampler step.</param>
/// <param name="DecodeMilliseconds">Time of the last picture, encoding included.</param>
/// <param name="Submitted">Latents that came.</param>
/// <param name="Shown">Pictures that went.</param>
/// <param name="Replaced">Latents that a newer one replaced.</param>
/// <param name="Failed">Latents that gave no picture because something was wrong.</param>
/// <param name="Warnings">What was noteworthy in this run.</param>
/// <param name="Alarm">What was wrong with this run last, null when nothing was.</param>
public sealed record StreamStatus(
    uint Stream, ulong Run, string? Format, bool FormatGuessed, string? Decoder, string? Source, string? Reason, double? StepMilliseconds,
    double? DecodeMilliseconds, long Submitted, long Shown, long Replaced, long Failed, IReadOnlyList<string> Warnings, RunAlarm? Alarm = null);

/// <summary>One decoder of a <see cref="SessionStatus"/>.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Format">The format it decodes here.</param>
/// <param name="Source">Where its numbers came from.</param>
/// <param name="Loaded">True when it is ready to decode.</param>
/// <param name="Milliseconds">Time of its last picture.</param>
/// <param name="Failure">Why it failed last, null when it works.</param>
public sealed record DecoderStatus(string Id, string Format, string Source, bool Loaded, double? Milliseconds, string? Failure);
