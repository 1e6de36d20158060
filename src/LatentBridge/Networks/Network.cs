namespace LatentBridge.Networks;

/// <summary>
/// A convolutional network as the list of its layers, in the order of its paper: which tensors it needs, what it costs and
/// how big its picture is follow from it. <see cref="NetworkEngine"/> computes it.
/// </summary>
sealed class Network(int channels)
{
    readonly List<NetworkLayer> _layers = [];
    bool _doubleNext;
    TimeGrowth? _growNext;

    /// <summary>Channels of the input.</summary>
    public int InputChannels { get; } = channels;

    /// <summary>Channels of the output, after any pixel shuffle.</summary>
    public int OutputChannels => Channels / (Shuffle * Shuffle);

    /// <summary>Whether the input x is first bent to 3 tanh(x / 3).</summary>
    public bool ClampsInput { get; private set; }

    /// <summary>Side of the square of pixels that the pixel shuffle makes of one: 1 without.</summary>
    public int Shuffle { get; private set; } = 1;

    /// <summary>Added to the output.</summary>
    public float OutputOffset { get; private set; }

    /// <summary>What every ReLU leaves of a negative value: max(x, leak x). 0 but for <see cref="FrameEngine"/>, which alone knows others.</summary>
    public float Leak { get; init; }

    /// <summary>Output frames for one input frame.</summary>
    public int FramesPerFrame => _layers.OfType<ConvolutionLayer>().Aggregate(1, (frames, layer) => frames * layer.Frames);

    /// <summary>The layers that compute; what needs no weights is folded into them.</summary>
    public IReadOnlyList<NetworkLayer> Layers => _layers;

    /// <summary>Output pixels along a side for one input pixel, at least 1; see <see cref="Reduction"/>.</summary>
    public int Enlargement => _layers.Aggregate(Shuffle, (side, layer) => layer.Reach == RowReach.Doubled ? 2 * side : side);

    /// <summary>Input pixels along a side for one output pixel.</summary>
    public int Reduction => _layers.Aggregate(1, (side, layer) => layer.Reach == RowReach.Halved ? 2 * side : side);

    /// <summary>Pixels along a side at the finest layer for one input pixel, at least 1.</summary>
    public int Finest
    {
        get
        {
            double side = 1, finest = 1;
            foreach (NetworkLayer layer in _layers)
            {
                side *= layer.Reach switch { RowReach.Doubled => 2, RowReach.Halved => 0.5, _ => 1 };
                finest = Math.Max(finest, side);
            }

            return (int)finest;
        }
    }

    /// <summary>Columns, or rows, behind the last layer, before any pixel shuffle, for so many of the input.</summary>
    public int PixelsOf(int input) => _layers.Aggregate(input, (pixels, layer) => layer.Reach.Size(pixels));

    /// <summary>Multiply-adds for one input pixel, as the layers define them, not as they are computed.</summary>
    public double MultiplyAddsPerPixel
    {
        get
        {
            double sum = 0, area = 1;
            foreach (NetworkLayer layer in _layers)
            {
                area *= layer.Reach switch { RowReach.Doubled => 4, RowReach.Halved => 0.25, _ => 1 };
                sum += area * layer.MultiplyAdds;
            }

            return sum;
        }
    }

    /// <summary>Every tensor it needs.</summary>
    public IEnumerable<ExpectedTensor> Tensors => _layers.SelectMany(layer => layer.Tensors);

    /// <summary>
    /// The last convolution's numbers so that it also does the pixel shuffle's reordering, [colour][dy][dx] to [dy][dx][colour], and
    /// the offset.
    /// </summary>
    public (float[] Weights, float[] Bias) ArrangeOutput(ConvolutionLayer last, float[] weights, float[]? bias)
    {
        (weights, bias) = Arrange(weights, bias ?? new float[last.Outputs], Shuffle * Shuffle);
        return (weights, [.. bias.Select(value => value + OutputOffset)]);
    }

    /// <summary>A convolution's numbers so that its outputs are [place][channel] instead of [channel][place].</summary>
    public static (float[] Weights, float[] Bias) Arrange(float[] weights, float[] bias, int places)
    {
        int channels = bias.Length / places, kernel = weights.Length / bias.Length;
        float[] arrangedWeights = new float[weights.Length], arrangedBias = new float[bias.Length];
        for (int to = 0; to < bias.Length; to++)
        {
            int from = (to % channels * places) + (to / channels);
            weights.AsSpan(from * kernel, kernel).CopyTo(arrangedWeights.AsSpan(to * kernel));
            arrangedBias[to] = bias[from];
        }

        return (arrangedWeights, arrangedBias);
    }

    /// <summary>Whether it is made of 3x3 convolutions of all channels alone.</summary>
    public bool IsPlain => _layers.All(layer => layer is not ConvolutionLayer convolution || convolution is { Side: 3, Groups: 1, IsShuffled: false });

    int Channels { get; set; } = channels;

    /// <summary>x = 3 tanh(x / 3), before all else.</summary>
    public Network Clamp()
    {
        ClampsInput = true;
        return this;
    }

    /// <summary>3x3 convolution, padding 1, tensors <paramref name="key"/>.weight and, if it has one, <paramref name="key"/>.bias.</summary>
    public Network Convolution(string key, int outputs, bool bias = true, int stride = 1)
    {
        RowReach reach = _doubleNext ? RowReach.Doubled : stride == 2 ? RowReach.Halved : RowReach.Neighbours;
        _layers.Add(new ConvolutionLayer(key, Channels, outputs, bias, reach) { Growth = _growNext });
        _doubleNext = false;
        _growNext = null;
        Channels = outputs;
        return this;
    }

    /// <summary>1x1 convolution.</summary>
    public Network Pointwise(string key, int outputs, bool bias = true) =>
        Add(new ConvolutionLayer(key, Channels, outputs, bias, RowReach.Same) { Side = 1 });

    /// <summary>3x3 convolution to four times as many channels, ReLU, and [channel][dy][dx] become squares of 2 x 2 pixels.</summary>
    public Network Unfold(string key, int outputs) =>
        Add(new ConvolutionLayer(key, Channels, outputs, true, RowReach.Doubled) { IsShuffled = true, Relu = true });

    /// <summary>As <see cref="Grow"/>, but not folded into the next convolution.</summary>
    public Network GrowAlone(string key, int stored, bool onlyLast = false) =>
        Add(new ConvolutionLayer(key, Channels, Channels, false, RowReach.Same) { Side = 1, Growth = new TimeGrowth(key, stored, onlyLast), IsGrowthAlone = true });

    /// <summary>x = ReLU(x + f(x and the frame before)), f being 1x1 and 3x3 convolutions in turns, those of 3x3 within groups of channels.</summary>
    public Network GroupedMemoryBlock(string key, int groupChannels)
    {
        int first = _layers.Count, groups = Channels / groupChannels;
        Pointwise($"{key}.conv.0", Channels).Relu().Grouped($"{key}.conv.2", groups).Relu();
        Pointwise($"{key}.conv.4", Channels).Relu().Grouped($"{key}.conv.6", groups).Relu();
        return Enclose(first);
    }

    /// <summary>x = x + f(x and the frame before), f being a 7x7 convolution of each channel by itself, and two of 1x1 with ReLU between them.</summary>
    public Network DepthwiseMemoryBlock(string key)
    {
        int first = _layers.Count, channels = Channels;
        Add(new ConvolutionLayer($"{key}.conv.0", channels, 2 * channels, false, RowReach.Far) { Side = 7, Groups = channels });
        Pointwise($"{key}.conv.1", 4 * channels).Relu().Pointwise($"{key}.conv.3", channels, bias: false);
        return Enclose(first);
    }

    Network Grouped(string key, int groups) =>
        Add(new ConvolutionLayer(key, Channels, Channels, true, RowReach.Neighbours) { Groups = groups });

    Network Enclose(int first)
    {
        ((ConvolutionLayer)_layers[first]).HasPast = true;
        ((ConvolutionLayer)_layers[first]).StartsBlock = true;
        ((ConvolutionLayer)_layers[^1]).EndsBlock = true;
        return this;
    }

    Network Add(ConvolutionLayer layer)
    {
        _layers.Add(layer);
        Channels = layer.Outputs;
        return this;
    }

    /// <summary>Nearest-neighbour doubling of both sides; the next convolution does it on the way.</summary>
    public Network Double()
    {
        _doubleNext = true;
        return this;
    }

    /// <summary>
    /// One frame of c channels to <paramref name="stored"/> frames by a 1x1 convolution to that many times c channels, the earliest
    /// first; the next convolution does it on the way. With <paramref name="onlyLast"/> only the last of them is made.
    /// </summary>
    public Network Grow(string key, int stored, bool onlyLast = false)
    {
        _growNext = new TimeGrowth(key, stored, onlyLast);
        return this;
    }

    /// <summary>x = max(x, 0)</summary>
    public Network Relu()
    {
        ((ConvolutionLayer)_layers[^1]).Relu = true;
        return this;
    }

    /// <summary>x = ReLU(x + f(x)), f being convolutions of x's own width with ReLU between them.</summary>
    public Network Block(params ReadOnlySpan<string> keys) => Block(Channels, null, keys);

    /// <summary>x = ReLU(x + f(x and what x was in the frame before, zeros in the first)).</summary>
    public Network MemoryBlock(params ReadOnlySpan<string> keys)
    {
        int first = _layers.Count;
        Block(keys);
        ((ConvolutionLayer)_layers[first]).HasPast = true;
        return this;
    }

    /// <summary>x = ReLU(s(x) + f(x)), the convolutions of f being of another width than x; s is a 1x1 convolution without bias.</summary>
    public Network Block(int channels, string? skip, params ReadOnlySpan<string> keys)
    {
        int first = _layers.Count;
        foreach (string key in keys)
        {
            Convolution(key, channels).Relu();
        }

        ((ConvolutionLayer)_layers[first]).SkipName = skip is null ? null : $"{skip}.weight";

        ((ConvolutionLayer)_layers[first]).StartsBlock = true;
        ((ConvolutionLayer)_layers[^1]).EndsBlock = true;
        return this;
    }

    /// <summary>
    /// x = x + W2 ReLU(GroupNorm(W1 x)): 1x1 convolutions without bias from c channels to 4 c and back, four groups, over
    /// the whole picture.
    /// </summary>
    public Network GroupNormPool(string key)
    {
        _layers.Add(new GroupNormPoolLayer(key, Channels));
        return this;
    }

    /// <summary>Channels [colour][dy][dx] become squares of <paramref name="side"/> x side pixels.</summary>
    public Network PixelShuffle(int side)
    {
        Shuffle = side;
        return this;
    }

    /// <summary>x = x + <paramref name="offset"/>, at the end.</summary>
    public Network Add(float offset)
    {
        OutputOffset = offset;
        return this;
    }
}

/// <summary>One layer of a <see cref="Network"/>.</summary>
abstract class NetworkLayer
{
    /// <summary>Rows of its input that a row of its output needs, which also says how its size changes.</summary>
    public abstract RowReach Reach { get; }

    public abstract int Outputs { get; }

    /// <summary>Multiply-adds for one output pixel.</summary>
    public abstract double MultiplyAdds { get; }

    /// <summary>Names and shapes of its tensors.</summary>
    public abstract IEnumerable<ExpectedTensor> Tensors { get; }
}

/// <summary>A 1x1 convolution to several frames, folded into the 3x3 convolution behind it.</summary>
/// <param name="Key">Its tensor is <c>Key.conv.weight</c>.</param>
/// <param name="Stored">Frames that its weights make of one.</param>
/// <param name="OnlyLast">Only the last of them is made.</param>
sealed record TimeGrowth(string Key, int Stored, bool OnlyLast)
{
    public string WeightName => $"{Key}.conv.weight";
}

sealed class ConvolutionLayer(string key, int inputs, int outputs, bool bias, RowReach reach) : NetworkLayer
{
    public int Inputs { get; } = inputs;

    public override int Outputs { get; } = outputs;

    public override RowReach Reach { get; } = reach;

    public bool Relu { get; set; }

    /// <summary>Its input is what the block adds at its end.</summary>
    public bool StartsBlock { get; set; }

    /// <summary>Adds the block's input before its ReLU.</summary>
    public bool EndsBlock { get; set; }

    /// <summary>Its input is followed by that of the frame before, as many channels again.</summary>
    public bool HasPast { get; set; }

    /// <summary>Name of the 1x1 convolution that what the block adds goes through; null for none. Set where the block starts.</summary>
    public string? SkipName { get; set; }

    /// <summary>What is done to the input first; null for nothing.</summary>
    public TimeGrowth? Growth { get; init; }

    /// <summary>Side of its kernel: 1, 3 or 7.</summary>
    public int Side { get; init; } = 3;

    /// <summary>Groups of channels, each made of the same part of the input's.</summary>
    public int Groups { get; init; } = 1;

    /// <summary>It is <see cref="Network.Unfold"/>: its kernel makes four pixels of one.</summary>
    public bool IsShuffled { get; init; }

    /// <summary>It has no weights but those of <see cref="Growth"/>.</summary>
    public bool IsGrowthAlone { get; init; }

    /// <summary>Each output is made of one channel; those behind them, where there are twice as many, are the same of the frame before.</summary>
    public bool IsDepthwise => Groups > 1 && Groups == Inputs;

    /// <summary>Numbers of a kernel.</summary>
    public int Taps => Side * Side;

    /// <summary>Output frames for one input frame.</summary>
    public int Frames => Growth is { OnlyLast: false } growth ? growth.Stored : 1;

    /// <summary>Whether <see cref="RgbConvolution{TLanes, TVector}"/> can compute it.</summary>
    public bool IsRgb => Outputs == 3 && Reach == RowReach.Neighbours && Groups == 1 && !Relu;

    public string WeightName { get; } = $"{key}.weight";

    public string? BiasName { get; } = bias ? $"{key}.bias" : null;

    public override double MultiplyAdds => IsDepthwise ? (double)Taps * Inputs : (double)Taps * Inputs * Outputs / Groups;

    public override IEnumerable<ExpectedTensor> Tensors
    {
        get
        {
            if (Growth is not null)
            {
                yield return new(Growth.WeightName, [Growth.Stored * Inputs, Inputs, 1, 1]);
            }

            if (IsGrowthAlone)
            {
                yield break;
            }

            int stored = IsShuffled ? 4 * Outputs : Outputs;
            yield return new(WeightName, [stored, HasPast && !IsDepthwise ? 2 * Inputs : Inputs / Groups, Side, Side]);
            if (BiasName is not null)
            {
                yield return new(BiasName, [stored]);
            }

            if (SkipName is not null)
            {
                yield return new(SkipName, [Outputs, Inputs, 1, 1]);
            }
        }
    }
}

sealed class GroupNormPoolLayer(string key, int channels) : NetworkLayer
{
    public const int Groups = 4;
    public const float Epsilon = 1e-5f;

    public override int Outputs { get; } = channels;

    /// <summary>Channels between the two 1x1 convolutions.</summary>
    public int Inner => 4 * Outputs;

    public override RowReach Reach => RowReach.Same;

    public string WidenName { get; } = $"{key}.0.weight";

    public string ScaleName { get; } = $"{key}.1.weight";

    public string ShiftName { get; } = $"{key}.1.bias";

    public string NarrowName { get; } = $"{key}.3.weight";

    public override double MultiplyAdds => 2.0 * Inner * Outputs;

    public override IEnumerable<ExpectedTensor> Tensors =>
        [new(WidenName, [Inner, Outputs, 1, 1]), new(ScaleName, [Inner]), new(ShiftName, [Inner]), new(NarrowName, [Outputs, Inner, 1, 1])];
}
