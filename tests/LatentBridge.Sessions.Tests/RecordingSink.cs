using LatentBridge.Fitting;

namespace LatentBridge.Sessions.Tests;

/// <summary>Keeps everything a session says, in order, and lets a test wait for it.</summary>
sealed class RecordingSink : IPreviewSink
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    readonly object _gate = new();
    readonly List<object> _events = [];

    public sealed record Released(int Slot, ulong Sequence);

    public sealed record ClipPicture(ReadyPreview Preview, ClipPlace Place);

    public sealed record Answer(object? Tag, ReadyPreview? Picture, DroppedLatent? Dropped);

    public sealed record Lesson(object? Tag, CalibratedMap? Map, bool IsUsed, string? Why);

    /// <summary>A decoder is about to be loaded or first used, or that is done.</summary>
    public sealed record Notice(string Decoder, string? File, bool IsDone);

    /// <summary>A test's own mark between the events.</summary>
    public sealed record Mark(string Text, uint Stream, ulong Run);

    public IReadOnlyList<object> Events
    {
        get
        {
            lock (_gate)
            {
                return [.. _events];
            }
        }
    }

    public IEnumerable<ReadyPreview> Ready => Events.OfType<ReadyPreview>();

    public IEnumerable<DroppedLatent> Dropped => Events.OfType<DroppedLatent>();

    public void Add(object what)
    {
        lock (_gate)
        {
            _events.Add(what);
            Monitor.PulseAll(_gate);
        }
    }

    /// <summary>Waits until what was said so far satisfies the condition; fails with all of it after half a minute.</summary>
    public void WaitFor(Func<IReadOnlyList<object>, bool> condition, string what)
    {
        DateTime end = DateTime.UtcNow + Patience;
        lock (_gate)
        {
            while (!condition(_events))
            {
                Assert.True(DateTime.UtcNow < end && Monitor.Wait(_gate, Patience), $"waited for {what}; so far: {string.Join("; ", _events)}");
            }
        }
    }

    public ReadyPreview WaitForReady(ulong sequence)
    {
        WaitFor(events => events.OfType<ReadyPreview>().Any(r => r.Sequence == sequence), $"ready {sequence}");
        return Ready.Single(r => r.Sequence == sequence);
    }

    public DroppedLatent WaitForDropped(ulong sequence)
    {
        WaitFor(events => events.OfType<DroppedLatent>().Any(d => d.Sequence == sequence), $"dropped {sequence}");
        return Dropped.Single(d => d.Sequence == sequence);
    }

    void IPreviewSink.Released(int slot, ulong sequence) => Add(new Released(slot, sequence));

    void IPreviewSink.Ready(in ReadyPreview preview) => Add(preview);

    void IPreviewSink.ClipReady(in ReadyPreview preview, in ClipPlace place) => Add(new ClipPicture(preview, place));

    void IPreviewSink.Dropped(in DroppedLatent dropped) => Add(dropped);

    void IPreviewSink.Decoded(DecodeRequest request, in ReadyPreview preview) => Add(new Answer(request.Tag, preview, null));

    void IPreviewSink.DecodeFailed(DecodeRequest request, in DroppedLatent dropped) => Add(new Answer(request.Tag, null, dropped));

    void IPreviewSink.Encoded(EncodeRequest request, in ReadyPreview preview) => Add(new Answer(request.Tag, preview, null));

    void IPreviewSink.EncodeFailed(EncodeRequest request, in DroppedLatent dropped) => Add(new Answer(request.Tag, null, dropped));

    void IPreviewSink.Taught(TeachRequest request, CalibratedMap map, bool isUsed) => Add(new Lesson(request.Tag, map, isUsed, null));

    void IPreviewSink.TeachFailed(TeachRequest request, string why) => Add(new Lesson(request.Tag, null, false, why));

    void IPreviewSink.Loading(string decoder, string? file) => Add(new Notice(decoder, file, false));

    void IPreviewSink.Loaded(string decoder, string? file) => Add(new Notice(decoder, file, true));

    void IPreviewSink.Log(string message) => Add(message);
}
