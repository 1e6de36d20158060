namespace LatentBridge.Networks;

/// <summary>A network over frames laid out for one picture size and the frames that are wanted: one row pipeline through all of them.</summary>
/// <remarks>
/// Layer by layer and frame by frame, as <see cref="NeededFrames"/> says, a ring each. Every frame's rows are on their way at once, so
/// memory grows with the width and the number of frames, not with the height. What a later call goes on from is kept whole.
/// </remarks>
sealed unsafe class FramePlan
{
    readonly Network _network;
    readonly IReadOnlyList<PreparedLayer> _prepared;
    readonly List<RowRing> _rings = [];
    readonly List<RowLayer> _layers = [];
    readonly List<(int Index, RowLayer Layer, bool IsBeforeShuffle)> _convolutions = [];
    readonly ColumnRange[][] _columns;
    readonly List<(RowRing? Before, RowRing After)> _memory = [];

    /// <param name="network">What to compute.</param>
    /// <param name="kernels">What it is computed with.</param>
    /// <param name="prepared">Its layers.</param>
    /// <param name="size">What it is laid out for.</param>
    /// <param name="wanted">Frames of the output, 0 being the first that the first input frame makes.</param>
    /// <param name="stripeWidth">Columns of a stripe at most.</param>
    public FramePlan(Network network, NetworkKernels kernels, IReadOnlyList<PreparedLayer> prepared, in FramePlanSize size, IReadOnlyList<int> wanted, int stripeWidth)
    {
        _network = network;
        _prepared = prepared;
        Size = size;
        Wanted = wanted;
        OutputWidth = network.PixelsOf(size.Width);
        (int width, Stripes) = size.Memory == FrameMemory.None ? NetworkStripes.Cut(network, size.Width, stripeWidth) : (size.Width, [new(0, 0, size.Width)]);
        int pictureWidth = size.Width;
        _columns = [.. Stripes.Select(stripe => NetworkStripes.Columns(network, pictureWidth, width, stripe))];
        SortedSet<int>[] needed = NeededFrames.Of(network, wanted);
        Dictionary<int, RowRing> rings = [];
        foreach (int frame in needed[0])
        {
            rings[frame] = Add(size.Height, width, NetworkKernels.RingChannels(network.InputChannels));
            NetworkInput input = new(rings[frame], network.InputChannels, network.ClampsInput ? kernels : null);
            _layers.Add(input);
            Inputs.Add((frame, input));
        }

        Dictionary<int, RowRing> added = rings;
        for (int i = 0; i < network.Layers.Count; i++)
        {
            var layer = (ConvolutionLayer)network.Layers[i];
            added = layer.StartsBlock ? Skips(i, rings, needed[i + 1]) : added;
            Dictionary<int, RowRing>? memory = layer.HasPast ? Pasts(i, rings, needed[i + 1]) : layer.EndsBlock ? added : null;
            rings = needed[i + 1].ToDictionary(frame => frame, frame => Place(i, frame, rings[frame / layer.Frames], memory?.GetValueOrDefault(frame)));
        }

        foreach (int frame in wanted)
        {
            NetworkOutput output = new(rings[frame], network.OutputChannels, network.Shuffle);
            _layers.Add(output);
            Outputs.Add(output);
        }

        Pipeline = new RowPipeline(_layers, size.BusyParts);
        _memory.ForEach(memory => memory.After.Capacity = memory.After.Height);
    }

    public FramePlanSize Size { get; }

    public IReadOnlyList<int> Wanted { get; }

    /// <summary>Columns of the last rings, were the picture not cut.</summary>
    public int OutputWidth { get; }

    /// <summary>The input frames that are read, and what reads them.</summary>
    public List<(int Frame, NetworkInput Layer)> Inputs { get; } = [];

    /// <summary>In the order of the wanted frames.</summary>
    public List<NetworkOutput> Outputs { get; } = [];

    /// <summary>From left to right, to be run one after the other.</summary>
    public NetworkStripe[] Stripes { get; }

    public RowPipeline Pipeline { get; }

    /// <summary>Floats that the rings take, without what is kept.</summary>
    public long RingLength => _rings.Sum(ring => ring.Length);

    /// <summary>Floats that are kept from one call to the next.</summary>
    public long MemoryLength => _memory.Sum(memory => memory.After.Length);

    /// <summary>Gives the rings their memory: <see cref="RingLength"/> zeros.</summary>
    public void Place(float* memory)
    {
        foreach (RowRing ring in _rings)
        {
            ring.Place(memory);
            memory += ring.Length;
        }
    }

    /// <summary>Says where what the last call left lies, in place of which this one leaves its own: <see cref="MemoryLength"/> floats, zeros at first.</summary>
    public void PlaceMemory(float* memory)
    {
        foreach ((RowRing? before, RowRing after) in _memory)
        {
            before?.Place(memory);
            after.Place(memory);
            memory += after.Length;
        }
    }

    /// <summary>Makes ready to run a stripe, by its number.</summary>
    public void Begin(int index)
    {
        NetworkStripe stripe = Stripes[index];
        int start = stripe.Start, first = _network.PixelsOf(stripe.First), end = stripe.End == Size.Width ? OutputWidth : _network.PixelsOf(stripe.End);
        foreach ((_, NetworkInput input) in Inputs)
        {
            input.Column = start;
        }

        foreach (NetworkOutput output in Outputs)
        {
            output.Cut(first - _network.PixelsOf(start), first, end);
        }

        foreach ((int layer, RowLayer convolution, bool isBeforeShuffle) in _convolutions)
        {
            ColumnRange columns = _columns[index][layer];
            convolution.Columns = isBeforeShuffle ? new(columns.First / 2, (columns.End + 1) / 2) : columns;
        }

        Pipeline.Reset();
    }

    /// <summary>What a block's frames add: its input, or that through a convolution.</summary>
    Dictionary<int, RowRing> Skips(int index, Dictionary<int, RowRing> rings, SortedSet<int> frames)
    {
        ConvolutionLayer layer = (ConvolutionLayer)_network.Layers[index];
        if (layer.SkipName is null)
        {
            return rings;
        }

        Dictionary<int, RowRing> skips = [];
        foreach (int frame in frames)
        {
            skips[frame] = Add(rings[frame].Height, rings[frame].Width, NetworkKernels.RingChannels(layer));
            Add(index, _prepared[index].PlaceSkip(rings[frame], skips[frame])!);
        }

        return skips;
    }

    /// <summary>What the frames before add to a block's first convolution; nothing for the first frame of all, before which all is zero.</summary>
    Dictionary<int, RowRing> Pasts(int index, Dictionary<int, RowRing> rings, SortedSet<int> frames)
    {
        RowRing? kept = Keep(rings);
        Dictionary<int, RowRing> pasts = [];
        foreach (int frame in frames)
        {
            if ((frame > 0 ? rings[frame - 1] : kept) is { } past)
            {
                pasts[frame] = Add(past.Height, past.Width, past.Channels);
                Add(index, _prepared[index].PlacePast(past, pasts[frame]));
            }
        }

        return pasts;
    }

    /// <summary>Keeps the last frame whole for the next call.</summary>
    /// <returns>What the last call kept; null when this is the first, or none follows.</returns>
    RowRing? Keep(Dictionary<int, RowRing> rings)
    {
        if (Size.Memory == FrameMemory.None)
        {
            return null;
        }

        RowRing last = rings[rings.Keys.Max()];
        RowRing? before = Size.Memory == FrameMemory.GoesOn ? new(last.Height, last.Width, last.Channels) { Produced = last.Height } : null;
        last.Replaced = before;
        _rings.Remove(last);
        _memory.Add((before, last));
        return before;
    }

    RowRing Place(int index, int frame, RowRing input, RowRing? added)
    {
        ConvolutionLayer layer = (ConvolutionLayer)_network.Layers[index];
        if (layer.IsShuffled)
        {
            RowRing folded = Add(input.Height, input.Width, NetworkKernels.RingChannels(_prepared[index].Kernel));
            _layers.Add(_prepared[index].Place(0, input, folded, null));
            _convolutions.Add((index, _layers[^1], true));
            RowRing unfolded = Add(2 * input.Height, 2 * input.Width, NetworkKernels.RingChannels(layer));
            Add(index, new UnfoldedRows(folded, unfolded));
            return unfolded;
        }

        RowRing output = Add(layer.Reach.Size(input.Height), layer.Reach.Size(input.Width), NetworkKernels.RingChannels(_prepared[index].Kernel));
        Add(index, _prepared[index].Place(frame % layer.Frames, input, output, added));
        if (!layer.Relu || _network.Leak == 0)
        {
            return output;
        }

        RowRing bent = Add(output.Height, output.Width, output.Channels);
        Add(index, new LeakyRelu(output, bent, _network.Leak));
        return bent;
    }

    void Add(int index, RowLayer layer)
    {
        _layers.Add(layer);
        _convolutions.Add((index, layer, false));
    }

    RowRing Add(int height, int width, int channels)
    {
        RowRing ring = new(height, width, channels);
        _rings.Add(ring);
        return ring;
    }
}

/// <summary>What a plan is laid out for.</summary>
/// <param name="Height">Rows of the input.</param>
/// <param name="Width">Columns of the input.</param>
/// <param name="BusyParts"><see cref="RowPipeline.BusyParts"/> of the threads that will run it.</param>
/// <param name="Memory">What it has of the frames before.</param>
readonly record struct FramePlanSize(int Height, int Width, int BusyParts, FrameMemory Memory);

/// <summary>What a call has to do with those before and after it.</summary>
enum FrameMemory
{
    /// <summary>Nothing: before the first frame all is zero.</summary>
    None,

    /// <summary>It is the first of several.</summary>
    Begins,

    /// <summary>It goes on where the last one ended.</summary>
    GoesOn,
}
