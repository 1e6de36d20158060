namespace LatentBridge.Tensors;

/// <summary>A network laid out for one picture size: its rings, its layers, and the passes they fall into.</summary>
/// <remarks>One pass, unless a GroupNorm needs the whole of its input first: then that input is kept whole and a new pass begins.</remarks>
sealed unsafe class NetworkPlan
{
    readonly List<RowRing> _rings = [];
    readonly List<RowPipeline> _passes = [];

    /// <param name="network">What to compute.</param>
    /// <param name="prepared">For each of its layers, a <see cref="NetworkKernels.Placement"/> or a <see cref="GroupNormPool"/>.</param>
    /// <param name="height">Rows of the input.</param>
    /// <param name="width">Columns of the input.</param>
    public NetworkPlan(Network network, IReadOnlyList<object> prepared, int height, int width)
    {
        Height = height;
        Width = width;
        RowRing ring = Add(height, width, NetworkKernels.RingChannels(network.InputChannels));
        Input = new NetworkInput(ring, network.InputChannels, network.ClampsInput);
        List<List<RowLayer>> passes = [[Input]];
        RowRing? blockInput = null;
        for (int i = 0; i < network.Layers.Count; i++)
        {
            if (prepared[i] is GroupNormPool pool)
            {
                passes[^1].Add(new GroupNormPool.Statistics(ring, pool));
                RowRing pooled = Add(ring.Height, ring.Width, ring.Channels);
                passes.Add([new GroupNormPool.Pool(ring, pooled, pool)]);
                ring = pooled;
                continue;
            }

            ConvolutionLayer layer = (ConvolutionLayer)network.Layers[i];
            blockInput = layer.StartsBlock ? ring : blockInput;
            RowRing output = Add(layer.Reach.Size(ring.Height), layer.Reach.Size(ring.Width), NetworkKernels.RingChannels(layer));
            passes[^1].Add(((NetworkKernels.Placement)prepared[i])(ring, output, layer.EndsBlock ? blockInput : null));
            ring = output;
        }

        Output = new NetworkOutput(ring, network.OutputChannels, network.Shuffle);
        passes[^1].Add(Output);
        foreach (List<RowLayer> pass in passes)
        {
            _passes.Add(new RowPipeline(pass));
        }

        KernelsLength = _passes.Max(pass => pass.KernelsLength);
        ScratchLength = _passes.Max(pass => pass.ScratchLength);
    }

    /// <summary>Rows of the input.</summary>
    public int Height { get; }

    /// <summary>Columns of the input.</summary>
    public int Width { get; }

    public NetworkInput Input { get; }

    public NetworkOutput Output { get; }

    /// <summary>To be run one after the other.</summary>
    public IReadOnlyList<RowPipeline> Passes => _passes;

    /// <summary>Floats that the rings take.</summary>
    public long RingLength => _rings.Sum(ring => ring.Length);

    /// <summary>Floats of transformed weights that each thread keeps.</summary>
    public long KernelsLength { get; }

    /// <summary>Floats of scratch memory that each thread needs.</summary>
    public long ScratchLength { get; }

    /// <summary>Gives the rings their memory: <see cref="RingLength"/> zeros.</summary>
    public void Place(float* memory)
    {
        foreach (RowRing ring in _rings)
        {
            ring.Place(memory);
            memory += ring.Length;
        }
    }

    RowRing Add(int height, int width, int channels)
    {
        RowRing ring = new(height, width, channels);
        _rings.Add(ring);
        return ring;
    }
}
