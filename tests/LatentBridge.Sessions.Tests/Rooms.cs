using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Ipc;
using LatentBridge.Testing;

namespace LatentBridge.Sessions.Tests;

/// <summary>The rooms of a session without its thread: a test does what the worker does, and moves the clock.</summary>
sealed class Rooms : IDisposable
{
    readonly ShimMemory _memory;
    ulong _sequence;

    public Rooms(int latentSlots = 4, int imageSlots = 2, Func<LatentFormat, IReadOnlyList<DecoderEntry>>? catalogue = null, params AvoidedDecoder[] avoid)
    {
        Page = HeaderPage.Create(latentSlots, 3968, imageSlots, 3968, Environment.ProcessId, 1);
        _memory = new ShimMemory(Page);
        Slots = new SlotTable(Sink, Clock);
        Slots.Attach(SharedMapping.Open(_memory.Source, (long)Page.TotalLength, 1));
        Bench = new Workbench(Slots);
        Streams = new StreamTable(Slots, Bench, Sink, Clock) { Defaults = SessionBench.Raw };
        Singles = new SinglePictures(Slots, Bench, Sink);
        var notice = new LoadingNotice(Gate, Sink, () => Bench.IsStopping);
        Pool = new DecoderPool(Gate, (format, _) => catalogue!(format), new Avoidance(avoid), (format, model) => Streams.All.Any(s => s.Context.Uses(format, model)), Clock);
        Preparation = new DecoderPreparation(Gate, Streams, Pool, notice, Log.Add, Clock);
        Pictures = new PictureMaker(Gate, Slots, Streams, Singles, Bench, Pool, notice, Sink, [], () => 1, Clock);
        Copies = new PictureCopies(Gate, Slots, Streams, Sink, () => Bench.IsStopping);
    }

    public HeaderPage Page { get; }

    public object Gate { get; } = new();

    public FakeClock Clock { get; } = new();

    public RecordingSink Sink { get; } = new();

    public List<string> Log { get; } = [];

    public SlotTable Slots { get; }

    public Workbench Bench { get; }

    public StreamTable Streams { get; }

    public SinglePictures Singles { get; }

    public DecoderPool Pool { get; }

    public DecoderPreparation Preparation { get; }

    public PictureMaker Pictures { get; }

    public PictureCopies Copies { get; }

    /// <summary>Writes a latent and takes its slot.</summary>
    public SubmittedLatent Take(int slot, ulong run = 1, uint stream = 0, int step = 0, bool last = false, float value = 0)
    {
        LatentSlotHeader header = Write(slot, run, stream, step, last, value);
        Assert.Null(Slots.Take(slot, header.Sequence, out SubmittedLatent latent));
        return latent;
    }

    public LatentSlotHeader Write(int slot, ulong run = 1, uint stream = 0, int step = 0, bool last = false, float value = 0)
    {
        var header = new LatentSlotHeader
        {
            Magic = LatentSlotHeader.ExpectedMagic,
            Generation = 1,
            Sequence = ++_sequence,
            Run = run,
            Stream = stream,
            Step = step,
            TotalSteps = 20,
            Flags = last ? FrameMarks.LastStep : FrameMarks.None,
            AxisCount = 4,
            PayloadLength = 4 * 4 * 16,
        };
        (header.Axes[0], header.Axes[1], header.Axes[2], header.Axes[3]) = (1, 4, 4, 4);
        float[] values = new float[4 * 16];
        Array.Fill(values, value);
        long offset = (long)(Page.LatentSlotsOffset + ((ulong)slot * Page.LatentSlotStride));
        _memory.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()), offset + 128);
        _memory.Write(header, offset);
        return header;
    }

    /// <summary>Takes and does one piece of a duty's work, as the worker does.</summary>
    public bool Do(IDuty duty)
    {
        bool taken;
        lock (Gate)
        {
            taken = duty.TryTake();
        }

        if (taken)
        {
            duty.Do();
        }

        return taken;
    }

    public void Dispose()
    {
        Singles.Dispose();
        Streams.Dispose();
        Pool.Dispose();
        Bench.Dispose();
        Slots.Detach();
        _memory.Dispose();
    }
}
