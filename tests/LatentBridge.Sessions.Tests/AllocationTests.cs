using LatentBridge.Decoders;
using LatentBridge.Decoders.Linear;
using LatentBridge.Latents;
using LatentBridge.Previews;

namespace LatentBridge.Sessions.Tests;

public class AllocationTests
{
    /// <summary>The worker of a session, stage to ready, with the real latent2rgb and the real PNG encoder.</summary>
    [Fact]
    public void A_frame_allocates_nothing_after_warm_up()
    {
        const int Frames = 400;
        const int WarmUp = 100;
        var decoder = new CountingDecoder(new LinearDecoder(SessionBench.Format));
        using var sink = new SilentSink();
        using var bench = new SessionBench(4, 4, _ => [new DecoderEntry(decoder.Description, false, () => decoder)], sink);
        bench.Begin(1, options: PreviewOptions.Default with { Threads = 1 });
        for (int i = 0; i < Frames; i++)
        {
            bench.Submit(i % 4, run: 1, step: i, value: i);
            bench.Session.Release(sink.Next());
        }

        // From one decode to the next: the rest of the one frame, the wait, the start of the other.
        long[] perFrame = [.. decoder.Allocated.Zip(decoder.Allocated.Skip(1), (a, b) => b - a)];
        Assert.InRange(perFrame.Length, Frames - 1, Frames + 10);
        Assert.All(perFrame.Skip(WarmUp), bytes => Assert.Equal(0, bytes));
    }

    sealed class CountingDecoder(ILatentDecoder inner) : ILatentDecoder
    {
        public List<long> Allocated { get; } = new(2000);

        public DecoderDescription Description => inner.Description;

        public long WorkingBytes(int latentHeight, int latentWidth) => inner.WorkingBytes(latentHeight, latentWidth);

        public void Decode(in LatentPlanes latent, Span<byte> destination, int threads, CancellationToken cancellation)
        {
            Allocated.Add(GC.GetAllocatedBytesForCurrentThread());
            inner.Decode(latent, destination, threads, cancellation);
        }

        public void Dispose() => inner.Dispose();
    }

    sealed class SilentSink : IPreviewSink, IDisposable
    {
        readonly SemaphoreSlim _ready = new(0);
        int _slot;

        public int Next()
        {
            Assert.True(_ready.Wait(TimeSpan.FromSeconds(30)), "no picture came");
            return _slot;
        }

        public void Dispose() => _ready.Dispose();

        void IPreviewSink.Released(int slot, ulong sequence)
        {
        }

        void IPreviewSink.Ready(in ReadyPreview preview)
        {
            _slot = preview.Slot;
            _ready.Release();
        }

        void IPreviewSink.ClipReady(in ReadyPreview preview, in ClipPlace place) => throw new InvalidOperationException(preview.ToString());

        void IPreviewSink.Dropped(in DroppedLatent dropped) => throw new InvalidOperationException(dropped.ToString());

        void IPreviewSink.Decoded(DecodeRequest request, in ReadyPreview preview)
        {
        }

        void IPreviewSink.DecodeFailed(DecodeRequest request, in DroppedLatent dropped)
        {
        }

        void IPreviewSink.Encoded(EncodeRequest request, in ReadyPreview preview)
        {
        }

        void IPreviewSink.EncodeFailed(EncodeRequest request, in DroppedLatent dropped)
        {
        }

        void IPreviewSink.Taught(TeachRequest request, Fitting.CalibratedMap map, bool isUsed)
        {
        }

        void IPreviewSink.TeachFailed(TeachRequest request, string why)
        {
        }

        void IPreviewSink.Loading(string decoder, string? file)
        {
        }

        void IPreviewSink.Loaded(string decoder, string? file)
        {
        }

        void IPreviewSink.Log(string message)
        {
        }
    }
}
