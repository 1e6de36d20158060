using LatentBridge.Decoders.Tiny;
using LatentBridge.Fitting.Training;
using LatentBridge.Networks;
using LatentBridge.Simd;
using LatentBridge.Tests.Weights;

namespace LatentBridge.Fitting.Tests.Training;

public sealed class TrainedNetworkTests
{
    const int Crops = 2;
    const int Side = 5;

    static CancellationToken Token => TestContext.Current.CancellationToken;

    public static TheoryData<KernelWidth> Widths => [.. Kernel.Supported];

    /// <summary>Each kind of layer alone and together: without ReLU, with it, a block, a layer behind a block.</summary>
    static Network[] Networks =>
    [
        new Network(3).Convolution("a", 4),
        new Network(3).Convolution("a", 40).Relu().Convolution("b", 3),
        new Network(7).Convolution("a", 5).Convolution("b", 6),
        new Network(4).Convolution("a", 8).Relu().Block("b", "c").Convolution("d", 12),
        TinyDecoder.Network(4, 2),
    ];

    static unsafe TrainedNetwork Make(Network network, KernelWidth width, int threads = 1)
    {
        TrainedNetwork trained = new(network, Crops, Side, width, threads);
        uint state = 7;
        foreach (TrainedConvolution layer in trained.Layers)
        {
            float scale = 1.5f / MathF.Sqrt(9 * layer.Layer.Inputs);
            layer.Set(
                [.. Enumerable.Range(0, 9 * layer.Layer.Inputs * layer.Layer.Outputs).Select(_ => scale * TestWeights.Next(ref state))],
                [.. Enumerable.Range(0, layer.Layer.Outputs).Select(_ => 0.2f * TestWeights.Next(ref state))]);
        }

        for (int crop = 0; crop < Crops; crop++)
        {
            for (int i = 0; i < Side * Side * network.InputChannels; i++)
            {
                int pixel = i / network.InputChannels;
                trained.Input.Row(crop, pixel / Side)[(pixel % Side * trained.Input.Channels) + (i % network.InputChannels)] = TestWeights.Next(ref state);
            }
        }

        return trained;
    }

    /// <summary>A loss that reaches every output: half the sum of their squares.</summary>
    static unsafe double Loss(PaddedBatch output, int channels, PaddedBatch? derivatives)
    {
        double loss = 0;
        derivatives?.Values.Clear();
        for (int crop = 0; crop < Crops; crop++)
        {
            for (int i = 0; i < Side * Side * channels; i++)
            {
                long at = ((i / channels % Side) * (long)output.Channels) + (i % channels);
                float value = output.Row(crop, i / channels / Side)[at];
                loss += 0.5 * value * value;
                if (derivatives is not null)
                {
                    derivatives.Row(crop, i / channels / Side)[at] = value;
                }
            }
        }

        return loss;
    }

    /// <summary>The outputs by the definition of a convolution, in double.</summary>
    [Theory]
    [MemberData(nameof(Widths))]
    public unsafe void A_convolution_is_the_sum_over_its_nine_neighbours(KernelWidth width)
    {
        using TrainedNetwork network = Make(new Network(3).Convolution("a", 4), width);
        TrainedConvolution layer = network.Layers[0];
        network.Forward(Token);
        for (int i = 0; i < Crops * Side * Side * 4; i++)
        {
            (int crop, int y, int x, int output) = (i / 4 / Side / Side, i / 4 / Side % Side, i / 4 % Side, i % 4);
            double sum = layer.Parameters[layer.Index(output, 0, 9)];
            for (int tap = 0; tap < 27; tap++)
            {
                (int fromY, int fromX) = (y + (tap % 9 / 3) - 1, x + (tap % 3) - 1);
                if (fromY is >= 0 and < Side && fromX is >= 0 and < Side)
                {
                    sum += (double)network.Input.Row(crop, fromY)[(fromX * network.Input.Channels) + (tap / 9)] * layer.Parameters[layer.Index(output, tap / 9, tap % 9)];
                }
            }

            Assert.Equal(sum, network.Output.Row(crop, y)[(x * network.Output.Channels) + output], 1e-5);
        }
    }

    // The difference of two losses is the derivative; ReLU's corner can lie between them, so a few of many may differ more.
    [Theory]
    [MemberData(nameof(Widths))]
    public void Every_layers_gradient_is_what_small_changes_of_its_weights_do(KernelWidth width)
    {
        foreach (Network definition in Networks)
        {
            using TrainedNetwork network = Make(definition, width);
            int channels = network.Layers[^1].Layer.Outputs;
            network.Forward(Token);
            network.Backward(derivatives => Loss(network.Output, channels, derivatives), Token);
            float[][] gradients = [.. network.Layers.Select(layer => layer.Gradient.ToArray())];
            uint state = 3;
            for (int i = 0; i < network.Layers.Count; i++)
            {
                TrainedConvolution layer = network.Layers[i];
                float largest = gradients[i].Max(Math.Abs);
                int wrong = 0;
                for (int probe = 0; probe < 24; probe++)
                {
                    int Pick(int count) => (int)((TestWeights.Next(ref state) + 1) / 2 * count) % count;
                    int at = layer.Index(Pick(layer.Layer.Outputs), Pick(layer.Layer.Inputs), probe < 4 ? 9 : Pick(9));
                    double numerical = (LossWith(network, layer, at, 2e-3f, channels) - LossWith(network, layer, at, -2e-3f, channels)) / 4e-3;
                    wrong += Math.Abs(numerical - gradients[i][at]) > 0.01 * largest ? 1 : 0;
                }

                Assert.True(wrong <= 2, $"{definition.Layers.Count} layers, layer {i}: {wrong} of 24 derivatives are wrong");
            }
        }
    }

    static double LossWith(TrainedNetwork network, TrainedConvolution layer, int at, float change, int channels)
    {
        float before = layer.Parameters[at];
        layer.Parameters[at] += change;
        network.Forward(Token);
        layer.Parameters[at] = before;
        return Loss(network.Output, channels, null);
    }

    [Theory]
    [MemberData(nameof(Widths))]
    public void Threads_change_no_bit_and_widths_only_roundings(KernelWidth width)
    {
        using TrainedNetwork scalar = Make(TinyDecoder.Network(4, 2), KernelWidth.Scalar), one = Make(TinyDecoder.Network(4, 2), width), three = Make(TinyDecoder.Network(4, 2), width, threads: 3);
        foreach (TrainedNetwork network in (TrainedNetwork[])[scalar, one, three])
        {
            network.Forward(Token);
            network.Backward(derivatives => Loss(network.Output, 12, derivatives), Token);
        }

        Assert.Equal(one.Output.Values.ToArray(), three.Output.Values.ToArray());
        for (int i = 0; i < one.Layers.Count; i++)
        {
            float[] expected = scalar.Layers[i].Gradient.ToArray(), found = one.Layers[i].Gradient.ToArray();
            Assert.Equal(found, three.Layers[i].Gradient.ToArray());
            float tolerance = 1e-4f * expected.Max(Math.Abs);
            Assert.All(expected.Zip(found), pair => Assert.Equal(pair.First, pair.Second, tolerance));
        }
    }

    [Fact]
    public void What_fills_up_stays_zero()
    {
        using TrainedNetwork network = Make(new Network(4).Convolution("a", 8).Relu().Convolution("b", 3), Kernel.Width);
        network.Forward(Token);
        network.Backward(derivatives => Loss(network.Output, 3, derivatives), Token);
        foreach (TrainedConvolution layer in network.Layers)
        {
            float[] gradient = layer.Gradient.ToArray();
            int real = Enumerable.Range(0, gradient.Length).Count(i => gradient[i] != 0);
            Assert.InRange(real, 1, (9 * layer.Layer.Inputs * layer.Layer.Outputs) + layer.Layer.Outputs);
        }
    }
}
