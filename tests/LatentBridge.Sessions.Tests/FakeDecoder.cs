using LatentBridge.Decoders;
using LatentBridge.Latents;

namespace LatentBridge.Sessions.Tests;

/// <summary>A decoder that a test stops and lets go, or that fails. It paints the first value of the latent.</summary>
sealed class FakeDecoder(string id = "fake", int quality = 60, long cost = 100, int channels = 4, int pixelsPerCell = 1) : ILatentDecoder
{
    readonly ManualResetEventSlim _open = new(true);
    readonly SemaphoreSlim _entered = new(0);
    float? _heldFirst;

    public DecoderDescription Description { get; } = new(id, "test", channels, pixelsPerCell, cost, quality);

    /// <summary>Thrown by the next decodes while set.</summary>
    public Exception? Failure { get; set; }

    /// <summary>Decodes that began.</summary>
    public int Count { get; private set; }

    /// <summary>Threads that the last decode was given.</summary>
    public int Threads { get; private set; }

    /// <summary>What every decode takes at least.</summary>
    public TimeSpan Time { get; set; }

    public bool IsDisposed { get; private set; }

    public static FakeDecoder Named(string id, int quality = 60, long cost = 100) => new(id, quality, cost);

    public DecoderEntry Entry => new(Description, false, () => this);

    /// <summary>Every decode from now on waits inside; or only those of latents that begin with a value.</summary>
    public void Hold(float? first = null)
    {
        _heldFirst = first;
        _open.Reset();
        while (_entered.Wait(0))
        {
        }
    }

    /// <summary>Lets waiting and further decodes go.</summary>
    public void Go() => _open.Set();

    /// <summary>Waits until a decode is inside.</summary>
    public void WaitUntilInside() => Assert.True(_entered.Wait(TimeSpan.FromSeconds(30)), "no decode began");

    public long WorkingBytes(int latentHeight, int latentWidth) => 0;

    public void Decode(in LatentPlanes latent, Span<byte> destination, int threads, CancellationToken cancellation)
    {
        Count++;
        Threads = threads;
        if (_heldFirst is null || latent.Plane(0)[0] == _heldFirst)
        {
            _entered.Release();
            _open.Wait(cancellation);
        }

        if (Time > TimeSpan.Zero)
        {
            cancellation.WaitHandle.WaitOne(Time);
            cancellation.ThrowIfCancellationRequested();
        }

        if (Failure is { } failure)
        {
            throw failure;
        }

        destination.Fill((byte)latent.Values[0]);
    }

    public void Dispose() => IsDisposed = true;
}
