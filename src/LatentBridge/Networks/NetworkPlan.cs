namespace LatentBridge.Networks;

/// <summary>A network laid out for one picture size: its rings, its layers, the passes they fall into, and the stripes of a wide picture.</summary>
/// <remarks>
/// One pass, unless a GroupNorm needs the whole of its input first: then that input is kept whole and a new pass begins. All that
/// is kept whole shares one memory: a pass writes row y of the next only when it has long read row y of the last.
/// </remarks>
sealed unsafe class NetworkPlan
{
    readonly List<RowRing> _rings = [];
    readonly List<RowRing> _whole = [];
    readonly List<(int Index, RowLayer Layer)> _convolutions = [];
    readonly ColumnRange[][] _columns;
    readonly Network _network;

    /// <param name="network">What to compute.</param>
    /// <param name="kernels">What it is computed with.</param>
    /// <param name="prepared">For each of its layers, a <see cref="NetworkKernels.Placement"/> or a <see cref="GroupNormPool"/>.</param>
    /// <param name="height">Rows of the input.</param>
    /// <param name="width">Columns of the input.</param>
    /// <param name="stripeWidth">Columns of a stripe at most.</param>
    /// <param name="busyParts"><see cref="RowPipeline.BusyParts"/> of the threads that will run it: rings are longer for several, so that they seldom wait.</param>
    public NetworkPlan(Network network, NetworkKernels kernels, IReadOnlyList<object> prepared, int height, int width, int stripeWidth, int busyParts)
    {
        _network = network;
        Height = height;
        Width = width;
        BusyParts = busyParts;
        OutputWidth = network.PixelsOf(width);
        (int window, Stripes) = NetworkStripes.Cut(network, width, stripeWidth);
        _columns = [.. Stripes.Select(stripe => NetworkStripes.Columns(network, width, window, stripe))];
        RowRing ring = Add(height, window, NetworkKernels.RingChannels(network.InputChannels));
        Input = new NetworkInput(ring, network.InputChannels, network.ClampsInput ? kernels : null);
        List<List<RowLayer>> passes = [[Input]];
        RowRing? blockInput = null;
        for (int i = 0; i < network.Layers.Count; i++)
        {
            if (prepared[i] is GroupNormPool pool)
            {
                passes[^1].Add(new GroupNormPool.Statistics(ring, pool));
                _rings.Remove(ring);
                _whole.Add(ring);
                RowRing pooled = Add(ring.Height, ring.Width, ring.Channels);
                passes.Add([new GroupNormPool.Pool(ring, pooled, pool)]);
                ring = pooled;
                continue;
            }

            ConvolutionLayer layer = (ConvolutionLayer)network.Layers[i];
            blockInput = layer.StartsBlock ? ring : blockInput;
            RowRing output = Add(layer.Reach.Size(ring.Height), layer.Reach.Size(ring.Width), NetworkKernels.RingChannels(layer));
            _convolutions.Add((i, ((NetworkKernels.Placement)prepared[i])(ring, output, layer.EndsBlock ? blockInput : null)));
            passes[^1].Add(_convolutions[^1].Layer);
            ring = output;
        }

        Output = new NetworkOutput(ring, network.OutputChannels, network.Shuffle);
        passes[^1].Add(Output);
        Passes = [.. passes.Select(pass => new RowPipeline(pass, busyParts))];
        ScratchLength = Passes.Max(pass => pass.ScratchLength);
    }

    /// <summary>Rows of the input.</summary>
    public int Height { get; }

    /// <summary>Columns of the input.</summary>
    public int Width { get; }

    /// <summary><see cref="RowPipeline.BusyParts"/> of the threads that it was laid out for.</summary>
    public int BusyParts { get; }

    /// <summary>Columns of the last ring, were the picture not cut.</summary>
    public int OutputWidth { get; }

    public NetworkInput Input { get; }

    public NetworkOutput Output { get; }

    /// <summary>From left to right, to be run one after the other.</summary>
    public NetworkStripe[] Stripes { get; }

    /// <summary>To be run one after the other, for each stripe.</summary>
    public RowPipeline[] Passes { get; }

    /// <summary>Floats that the rings take.</summary>
    public long RingLength => _rings.Sum(ring => ring.Length) + (_whole.Count > 0 ? _whole[0].Length : 0);

    /// <summary>Floats of scratch memory that each thread needs.</summary>
    public long ScratchLength { get; }

    /// <summary>Makes ready to run a stripe, by its number.</summary>
    public void Begin(int index)
    {
        NetworkStripe stripe = Stripes[index];
        Input.Column = stripe.Start;
        int first = _network.PixelsOf(stripe.First), start = _network.PixelsOf(stripe.Start);
        Output.Cut(first - start, first, stripe.End == Width ? OutputWidth : _network.PixelsOf(stripe.End));
        foreach ((int layer, RowLayer convolution) in _convolutions)
        {
            convolution.Columns = _columns[index][layer];
        }

        foreach (RowPipeline pass in Passes)
        {
            pass.Reset();
        }
    }

    /// <summary>Gives the rings their memory: <see cref="RingLength"/> zeros.</summary>
    public void Place(float* memory)
    {
        foreach (RowRing ring in _rings)
        {
            ring.Place(memory);
            memory += ring.Length;
        }

        _whole.ForEach(ring => ring.Place(memory));
    }

    RowRing Add(int height, int width, int channels)
    {
        RowRing ring = new(height, width, channels);
        _rings.Add(ring);
        return ring;
    }
}
