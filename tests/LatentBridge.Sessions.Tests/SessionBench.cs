using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Ipc;
using LatentBridge.Latents;
using LatentBridge.Previews;
using LatentBridge.Testing;

namespace LatentBridge.Sessions.Tests;

/// <summary>A session over real shared memory with the shim's part in the test's hands: small SD15 latents, rgb24 pictures.</summary>
sealed class SessionBench : IDisposable
{
    public const int Side = 4;
    public static readonly LatentFormat Format = LatentFormats.Get("SD15");
    public static readonly PreviewOptions Raw = new() { Encoding = PreviewEncoding.Rgb24 };

    ulong _sequence;

    public SessionBench(params FakeDecoder[] decoders)
        : this(4, 4, _ => [.. decoders.Select(d => d.Entry)])
    {
    }

    public SessionBench(int latentSlots, int imageSlots, Func<LatentFormat, IReadOnlyList<DecoderEntry>> catalogue, IPreviewSink? sink = null, int latentCapacity = 3968, string? calibrations = null, string? learned = null)
    {
        Page = HeaderPage.Create(latentSlots, latentCapacity, imageSlots, 3968, Environment.ProcessId, 1);
        Memory = new ShimMemory(Page);
        Session = new PreviewSession(sink ?? Sink, catalogue, () => 1, calibrations, null, null, null, learned, new(TimeSpan.Zero, _ => 20)) { Defaults = Raw };
        Session.Attach(Memory.Source, (long)Page.TotalLength, 1);
    }

    public HeaderPage Page { get; set; }

    public ShimMemory Memory { get; }

    public RecordingSink Sink { get; } = new();

    public PreviewSession Session { get; }

    public LatentSlotHeader Header(ulong run, uint stream = 0, int step = 0, bool last = false)
    {
        var header = new LatentSlotHeader
        {
            Magic = LatentSlotHeader.ExpectedMagic,
            Generation = Page.Generation,
            Sequence = ++_sequence,
            Run = run,
            Stream = stream,
            Step = step,
            TotalSteps = 20,
            Flags = last ? FrameMarks.LastStep : FrameMarks.None,
            ElementType = 0,
            AxisCount = 4,
            PayloadLength = 4 * 4 * Side * Side,
        };
        header.Axes[0] = 1;
        header.Axes[1] = 4;
        header.Axes[2] = Side;
        header.Axes[3] = Side;
        return header;
    }

    public ulong Submit(int slot, ulong run, uint stream = 0, int step = 0, float value = 0, bool last = false) => Submit(slot, Header(run, stream, step, last), value);

    public ulong Submit(int slot, LatentSlotHeader header, float value = 0)
    {
        Write(slot, header, value);
        Session.Submit(slot, header.Sequence);
        return header.Sequence;
    }

    public void Write(int slot, LatentSlotHeader header, float value = 0)
    {
        float[] values = new float[4 * Side * Side];
        Array.Fill(values, value);
        long offset = (long)(Page.LatentSlotsOffset + ((ulong)slot * Page.LatentSlotStride));
        Memory.Write(System.Runtime.InteropServices.MemoryMarshal.AsBytes(values.AsSpan()), offset + 128);
        Memory.Write(header, offset);
    }

    public void Begin(ulong run, uint stream = 0, PreviewOptions? options = null) => Session.Begin(stream, run, Format, LatentSpace.Sampler, options ?? Raw);

    public byte[] Picture(ReadyPreview ready) =>
        Memory.Read((long)(Page.ImageSlotsOffset + ((ulong)ready.Slot * Page.ImageSlotStride)) + 128, ready.Picture.ByteLength);

    public ImageSlotHeader PictureHeader(ReadyPreview ready) => System.Runtime.InteropServices.MemoryMarshal.Read<ImageSlotHeader>(
        Memory.Read((long)(Page.ImageSlotsOffset + ((ulong)ready.Slot * Page.ImageSlotStride)), 128));

    public void Dispose()
    {
        Session.Dispose();
        Memory.Dispose();
    }
}
