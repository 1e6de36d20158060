using System.Numerics;

namespace LatentBridge.Networks;

/// <summary>A convolution of a network over frames, ready to be put between rings.</summary>
/// <remarks>
/// [x, past] is a convolution of x and one of past, added; a 1x1 convolution in front of one of 3x3 is
/// multiplied into its weights, once for each frame that it makes: it has no bias, so zeros around the picture stay zeros.
/// </remarks>
sealed class PreparedLayer
{
    readonly NetworkKernels.Placement[] _frames;
    readonly NetworkKernels.Placement? _past;
    readonly NetworkKernels.Placement? _skip;

    /// <param name="network">The network.</param>
    /// <param name="layer">One of its layers.</param>
    /// <param name="kernels">What it is computed with.</param>
    /// <param name="take">Gives the values of a tensor by its name.</param>
    public PreparedLayer(Network network, ConvolutionLayer layer, NetworkKernels kernels, Func<string, float[]> take)
    {
        int channels = NetworkKernels.RingChannels(layer.Inputs);
        float[] weights = layer.IsGrowthAlone ? [] : take(layer.WeightName);
        float[]? bias = layer.BiasName is null ? null : take(layer.BiasName);
        Kernel = new ConvolutionLayer(
            "", layer.Inputs, layer.IsShuffled ? 4 * layer.Outputs : layer.Outputs, layer.BiasName is not null, layer.IsShuffled ? RowReach.Neighbours : layer.Reach)
        {
            Relu = layer.Relu && network.Leak == 0,
            Side = layer.Side,
            Groups = layer.Groups,
        };
        if (layer.IsShuffled)
        {
            (weights, bias) = Network.Arrange(weights, bias!, 4);
        }

        if (layer == network.Layers[^1])
        {
            (weights, bias) = network.ArrangeOutput(layer, weights, bias);
        }

        if (layer.HasPast)
        {
            _past = kernels.Prepare(Plain(layer), channels, Half(weights, layer, second: true), null);
            weights = Half(weights, layer, second: false);
        }

        if (layer.SkipName is not null)
        {
            _skip = kernels.Prepare(Plain(layer), channels, Centre(take(layer.SkipName)), null);
        }

        float[]? growth = layer.Growth is null ? null : take(layer.Growth.WeightName);
        _frames = new NetworkKernels.Placement[layer.Frames];
        for (int frame = 0; frame < layer.Frames; frame++)
        {
            int stored = layer.Growth is { OnlyLast: true } last ? last.Stored - 1 : frame;
            float[] made = growth is null ? weights : layer.IsGrowthAlone ? Slice(growth, layer, stored).ToArray() : Folded(weights, growth, layer, stored);
            _frames[frame] = kernels.Prepare(Kernel, channels, made, bias);
        }
    }

    /// <summary>What is computed for a frame, without what the network does around it.</summary>
    public ConvolutionLayer Kernel { get; }

    /// <summary>The convolution for a frame among those that one input frame makes.</summary>
    public RowLayer Place(int frame, RowRing input, RowRing output, RowRing? added) => _frames[frame](input, output, added);

    /// <summary>The convolution of the frame before; its output is added to the one of the frame, or put behind it where it is depthwise.</summary>
    public RowLayer PlacePast(RowRing past, RowRing output) => _past!(past, output, null);

    /// <summary>The convolution of what the block adds at its end; null where it adds its input.</summary>
    public RowLayer? PlaceSkip(RowRing input, RowRing output) => _skip?.Invoke(input, output, null);

    static ConvolutionLayer Plain(ConvolutionLayer layer) =>
        new("", layer.Inputs, layer.IsDepthwise ? layer.Inputs : layer.Outputs, false, layer.Reach) { Side = layer.Side, Groups = layer.Groups };

    /// <summary>Of weights that read [x, past], those of one of the two.</summary>
    public static float[] Half(float[] weights, ConvolutionLayer layer, bool second)
    {
        if (layer.IsDepthwise)
        {
            int own = weights.Length / 2;
            return weights[(second ? own : 0)..(second ? 2 * own : own)];
        }

        int length = layer.Inputs * layer.Taps;
        float[] half = new float[layer.Outputs * length];
        for (int output = 0; output < layer.Outputs; output++)
        {
            weights.AsSpan(((2 * output) + (second ? 1 : 0)) * length, length).CopyTo(half.AsSpan(output * length));
        }

        return half;
    }

    static float[] Centre(float[] weights)
    {
        float[] kernels = new float[weights.Length * 9];
        for (int i = 0; i < weights.Length; i++)
        {
            kernels[(i * 9) + 4] = weights[i];
        }

        return kernels;
    }

    // Of the 1x1 convolution, the part that makes a frame.
    static ReadOnlySpan<float> Slice(float[] growth, ConvolutionLayer layer, int frame) => growth.AsSpan(frame * layer.Inputs * layer.Inputs, layer.Inputs * layer.Inputs);

    // folded[o][i][tap] = sum over m of weights[o][m][tap] growth[frame * inputs + m][i]
    static float[] Folded(float[] weights, float[] growth, ConvolutionLayer layer, int frame)
    {
        int inputs = layer.Inputs;
        ReadOnlySpan<float> grow = Slice(growth, layer, frame);
        float[] folded = new float[weights.Length], sums = new float[inputs];
        for (int output = 0; output < layer.Outputs; output++)
        {
            for (int tap = 0; tap < 9; tap++)
            {
                Array.Clear(sums);
                for (int m = 0; m < inputs; m++)
                {
                    AddScaled(grow.Slice(m * inputs, inputs), weights[(((output * inputs) + m) * 9) + tap], sums);
                }

                for (int input = 0; input < inputs; input++)
                {
                    folded[(((output * inputs) + input) * 9) + tap] = sums[input];
                }
            }
        }

        return folded;
    }

    static void AddScaled(ReadOnlySpan<float> values, float factor, float[] sums)
    {
        var scale = new Vector<float>(factor);
        int i = 0;
        for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            ((new Vector<float>(values[i..]) * scale) + new Vector<float>(sums, i)).CopyTo(sums, i);
        }

        for (; i < values.Length; i++)
        {
            sums[i] += values[i] * factor;
        }
    }
}
