using LatentBridge.Decoders;
using LatentBridge.Decoders.Tiny;
using LatentBridge.Files;
using LatentBridge.Networks;

namespace LatentBridge.Fitting.Training;

/// <summary>What a network starts from: the best linear map of 3 x 3 cells, so that its first picture is already that map's; beside it, seeded random weights that wait to be of use.</summary>
static class FirstWeights
{
    const double Ridge = 1e-4;
    const int PairsToChooseWith = 8;

    /// <summary>Wider latents start from the map of single cells: the equations of 3 x 3 cells grow with the square of the channels.</summary>
    const int MaximumChannelsOf3x3 = 32;

    /// <summary>Rows that are added to the equations between two looks at a cancellation: some milliseconds.</summary>
    internal const int StripRows = 8;

    /// <summary>Weights whose picture is that of the linear map fitted to the pairs.</summary>
    /// <exception cref="LatentBridgeException">The pairs do not determine one.</exception>
    public static TrainedWeights FromLinearFit(IReadOnlyList<PicturePair> pairs, int side, int seed, CancellationToken cancellation = default)
    {
        int channels = pairs[0].Channels;
        Random random = new(seed);
        Network network = TinyDecoder.Network(channels, side);
        Dictionary<string, float[]> tensors = network.Tensors.ToDictionary(tensor => tensor.Name, tensor => new float[tensor.Length]);
        float[] deviations = Deviations(pairs);
        foreach (ConvolutionLayer layer in network.Layers.Cast<ConvolutionLayer>())
        {
            // The second convolution of a block starts at zero, so a block first hands on what it gets; the last layer reads only the linear map.
            bool isFirst = layer == network.Layers[0];
            if (isFirst || layer.StartsBlock)
            {
                float[] weights = tensors[layer.WeightName];
                for (int i = 0; i < weights.Length; i++)
                {
                    weights[i] = (float)(Normal(random) * Math.Sqrt(2.0 / (9 * layer.Inputs))) / (isFirst ? deviations[i / 9 % channels] : 1);
                }
            }
        }

        PutLinearMap(tensors, Fit(pairs, seed, cancellation), channels, side);
        return new(channels, side, tensors);
    }

    /// <summary>The best of the relatives' weights and those of the linear fit, by their pictures of the pairs.</summary>
    /// <param name="pairs">To learn from.</param>
    /// <param name="relatives">Decoders of other spaces, or of this one as it was; those that do not fit are left out.</param>
    /// <param name="seed">As for <see cref="FromLinearFit"/>.</param>
    /// <param name="threads">At least 1.</param>
    /// <param name="cancellation">Looked at by the decoders.</param>
    /// <returns>The weights, and which of the relatives they are of; -1 for the linear fit.</returns>
    public static (TrainedWeights Weights, int Relative) Choose(
        IReadOnlyList<PicturePair> pairs, IReadOnlyList<TrainedWeights> relatives, int seed, int threads, CancellationToken cancellation = default)
    {
        int side = pairs[0].Side;
        TrainedWeights best = FromLinearFit(pairs, side, seed, cancellation);
        PicturePair[] some = [.. pairs.Take(PairsToChooseWith)];
        (double reached, int relative) = (Psnr(best), -1);
        for (int i = 0; i < relatives.Count; i++)
        {
            if (relatives[i].Channels == pairs[0].Channels && relatives[i].Side % side == 0 && relatives[i].Reduce(side) is var other && Psnr(other) is var psnr && psnr > reached)
            {
                (best, reached, relative) = (other, psnr, i);
            }
        }

        return (best, relative);

        double Psnr(TrainedWeights weights)
        {
            using ILatentDecoder decoder = weights.ToDecoder();
            return DecoderMeasure.Of(decoder, some, threads, cancellation).Psnr;
        }
    }

    /// <summary>A map's colours go through ReLU in halves, above and below zero: h[2c] = max(m, 0), h[2c + 1] = max(-m, 0), colour c = (h[2c] - h[2c + 1]) / 2 + 1/2.</summary>
    static void PutLinearMap(Dictionary<string, float[]> tensors, FittedMap map, int channels, int side)
    {
        float[] linear = Values(map, "polynomial.linear"), bias = Values(map, "polynomial.bias");
        float[] first = tensors["conv_in.weight"], firstBias = tensors["conv_in.bias"], last = tensors["conv_out.weight"];
        bool is3x3 = linear.Length == 27 * channels;
        for (int colour = 0; colour < 3; colour++)
        {
            for (int half = 0; half < 2; half++)
            {
                (int unit, int sign) = ((2 * colour) + half, half == 0 ? 1 : -1);
                for (int i = 0; i < 9 * channels; i++)
                {
                    float weight = is3x3 ? linear[(colour * 9 * channels) + i] : i % 9 == 4 ? linear[(colour * channels) + (i / 9)] : 0;
                    first[(unit * 9 * channels) + i] = sign * weight;
                }

                firstBias[unit] = sign * bias[colour];
                for (int pixel = 0; pixel < side * side; pixel++)
                {
                    last[(((((colour * side * side) + pixel) * 64) + unit) * 9) + 4] = 0.5f * sign;
                }
            }
        }
    }

    static FittedMap Fit(IReadOnlyList<PicturePair> pairs, int seed, CancellationToken cancellation)
    {
        int channels = pairs[0].Channels;
        bool is3x3 = channels <= MaximumChannelsOf3x3;
        ColourFit fit = new(channels, 1, seed, is3x3 ? 3 : 1);
        foreach (PicturePair pair in pairs)
        {
            PicturePair small = pair.Reduce(1);
            for (int top = 0; top < pair.Height; top += StripRows)
            {
                cancellation.ThrowIfCancellationRequested();
                PicturePair strip = small.Crop(top, 0, Math.Min(StripRows, pair.Height - top), pair.Width);
                fit.Add(Array.ConvertAll(strip.Planes, Clamp), strip.Pixels, heldOut: false, threads: 1, pair.Width);
            }
        }

        return fit.Solve(is3x3 ? ColourMapKind.Linear3x3 : ColourMapKind.Linear, Ridge);
    }

    /// <summary>The bend before the first layer.</summary>
    internal static float Clamp(float value) => 3 * MathF.Tanh(value / 3);

    static float[] Deviations(IReadOnlyList<PicturePair> pairs)
    {
        int channels = pairs[0].Channels;
        return [.. Enumerable.Range(0, channels).Select(channel =>
        {
            double sum = 0, squares = 0;
            long count = 0;
            foreach (PicturePair pair in pairs)
            {
                int plane = pair.Height * pair.Width;
                foreach (float value in pair.Planes.AsSpan(channel * plane, plane))
                {
                    sum += value;
                    squares += (double)value * value;
                }

                count += plane;
            }

            return (float)Math.Max(0.05, Math.Sqrt(Math.Max(0, (squares / count) - (sum / count * (sum / count)))));
        })];
    }

    static double Normal(Random random) => Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());

    static float[] Values(FittedMap map, string name)
    {
        StoredTensor tensor = map.Tensors.First(tensor => tensor.Name == name);
        return System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(tensor.Bytes.Span).ToArray();
    }
}
