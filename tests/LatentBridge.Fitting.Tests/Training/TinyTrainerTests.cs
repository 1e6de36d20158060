using LatentBridge.Decoders;
using LatentBridge.Fitting.Training;
using LatentBridge.Latents;
using LatentBridge.Tests.Weights;

namespace LatentBridge.Fitting.Tests.Training;

public sealed class TinyTrainerTests
{
    /// <summary>A made-up latent space: channels are mixed colours of the left and right half of each cell, bent a little.</summary>
    internal static PicturePair Pair(uint seed, int channels = 4, int height = 20, int width = 24, int side = 2)
    {
        uint state = seed;
        (int rows, int columns) = (height * side, width * side);
        byte[] pixels = new byte[3 * rows * columns];
        (float X, float Y, float Phase)[] waves = [.. Enumerable.Range(0, 9).Select(_ => (0.4f * TestWeights.Next(ref state), 0.4f * TestWeights.Next(ref state), 3 * TestWeights.Next(ref state)))];
        for (int i = 0; i < pixels.Length; i++)
        {
            (int y, int x, int colour) = (i / 3 / columns, i / 3 % columns, i % 3);
            float value = Enumerable.Range(0, 3).Sum(k => MathF.Sin((waves[(3 * colour) + k].X * x) + (waves[(3 * colour) + k].Y * y) + waves[(3 * colour) + k].Phase));
            pixels[i] = (byte)Math.Clamp(128 + (50 * value), 0, 255);
        }

        uint mixing = 77; // the same space for every pair
        float[] mix = [.. Enumerable.Range(0, channels * 6).Select(_ => TestWeights.Next(ref mixing))];
        float[] planes = new float[channels * height * width];
        for (int i = 0; i < planes.Length; i++)
        {
            (int channel, int y, int x) = (i / (height * width), i / width % height, i % width);
            float sum = 0;
            for (int k = 0; k < 6; k++)
            {
                int column = (x * side) + (k / 3 * (side - 1));
                sum += mix[(channel * 6) + k] * ((pixels[(3 * ((y * side * columns) + column)) + (k % 3)] / 127.5f) - 1);
            }

            planes[i] = sum + (0.3f * sum * sum);
        }

        return new(planes, channels, height, width, pixels, side);
    }

    static DecoderMeasure Measure(ILatentDecoder decoder, params PicturePair[] pairs) => DecoderMeasure.Of(decoder, pairs, 1, TestContext.Current.CancellationToken);

    static TrainedWeights First(PicturePair[] pairs, int side, int seed) => FirstWeights.FromLinearFit(pairs, side, seed, TestContext.Current.CancellationToken);

    static TrainedWeights Train(PicturePair[] pairs, TrainingPlan plan, int threads = 1)
    {
        using TinyTrainer trainer = new(pairs, First(pairs, pairs[0].Side, plan.Seed), plan, threads);
        while (!trainer.IsDone)
        {
            trainer.Step(TestContext.Current.CancellationToken);
        }

        return trainer.Weights();
    }

    [Theory]
    [InlineData(4, 1)]
    [InlineData(4, 2)]
    [InlineData(5, 4)]
    [InlineData(48, 2)]
    public void The_first_weights_show_the_linear_map(int channels, int side)
    {
        PicturePair[] pairs = [Pair(1, channels, 40, 40, side), Pair(2, channels, 40, 40, side)];
        ColourFit fit = new(channels, 1, side: channels > 32 ? 1 : 3);
        PicturePair[] bent = [.. pairs.Select(pair => pair with { Planes = Array.ConvertAll(pair.Planes, FirstWeights.Clamp) })];
        foreach (PicturePair pair in bent)
        {
            for (int top = 0; top < pair.Height; top += FirstWeights.StripRows)
            {
                PicturePair strip = pair.Reduce(1).Crop(top, 0, FirstWeights.StripRows, pair.Width);
                fit.Add(strip.Planes, strip.Pixels, heldOut: false, threads: 1, strip.Width);
            }
        }

        using ILatentDecoder linear = fit.Solve(channels > 32 ? ColourMapKind.Linear : ColourMapKind.Linear3x3, 1e-4).ToDecoder();
        using ILatentDecoder first = First(pairs, side, 0).ToDecoder();
        byte[] expected = new byte[3 * 40 * 40], found = new byte[expected.Length * side * side];
        linear.Decode(bent[0].Latent, expected, 1, TestContext.Current.CancellationToken);
        first.Decode(pairs[0].Latent, found, 1, TestContext.Current.CancellationToken);

        Assert.Equal(side, first.Description.PixelsPerCell);
        List<int> differences = [];
        for (int i = 0; i < found.Length; i++)
        {
            // Beyond the border the map repeats cells, the network sees zeros.
            (int y, int x) = (i / 3 / (40 * side) / side, i / 3 % (40 * side) / side);
            if (y is > 0 and < 39 && x is > 0 and < 39)
            {
                differences.Add(Math.Abs(found[i] - expected[(3 * ((y * 40) + x)) + (i % 3)]));
            }
        }

        Assert.InRange(differences.Average(), 0, 0.1);
        Assert.InRange(differences.Max(), 0, 1);
    }

    [Fact]
    public void It_learns_what_no_linear_map_can_say_and_shows_it_on_a_picture_it_never_saw()
    {
        PicturePair[] pairs = [Pair(1), Pair(2), Pair(3)], others = [Pair(9)];
        using ILatentDecoder first = First(pairs, 2, 0).ToDecoder(), trained = Train(pairs, new(150, Crops: 2, CropSide: 16)).ToDecoder();
        (double before, double after) = (Measure(first, others).Psnr, Measure(trained, others).Psnr);
        Assert.True(after > before + 2, $"{before} dB at first, {after} dB afterwards");
        Assert.True(Measure(trained, others).Colour < Measure(first, others).Colour);
    }

    [Fact]
    public void The_same_seed_gives_the_same_numbers_with_any_threads_and_another_seed_others()
    {
        PicturePair[] pairs = [Pair(1), Pair(2)];
        TrainingPlan plan = new(6, Seed: 3, Crops: 2, CropSide: 12);
        float[] one = Train(pairs, plan).Tensors["blocks.1.0.weight"];
        Assert.Equal(one, Train(pairs, plan, threads: 2).Tensors["blocks.1.0.weight"]);
        Assert.NotEqual(one, Train(pairs, plan with { Seed = 4 }).Tensors["blocks.1.0.weight"]);
    }

    [Fact]
    public void A_cancelled_step_leaves_no_trace()
    {
        PicturePair[] pairs = [Pair(1)];
        using TinyTrainer trainer = new(pairs, First(pairs, 2, 0), new(5, Crops: 1, CropSide: 8), 1);
        trainer.Step(TestContext.Current.CancellationToken);
        float[] before = trainer.Weights().Tensors["conv_out.weight"];
        Assert.Throws<OperationCanceledException>(() => trainer.Step(new CancellationToken(canceled: true)));
        Assert.Equal(1, trainer.StepsDone);
        Assert.Equal(before, trainer.Weights().Tensors["conv_out.weight"]);
    }

    [Fact]
    public void The_losss_derivatives_are_what_small_changes_of_the_picture_do()
    {
        using PaddedBatch output = new(1, 2, 12), derivatives = new(1, 2, 12), ignored = new(1, 2, 12);
        uint state = 5;
        float[] targets = [.. Enumerable.Range(0, 2 * 2 * 12).Select(_ => 0.5f * TestWeights.Next(ref state))];
        unsafe
        {
            for (int i = 0; i < 48; i++)
            {
                output.Row(0, i / 24)[(i / 12 % 2 * output.Channels) + (i % 12)] = 0.5f * TestWeights.Next(ref state);
            }

            PictureLoss.Compute(output, targets, 4, derivatives);
            for (int i = 0; i < 48; i++)
            {
                int at = (i / 12 % 2 * output.Channels) + (i % 12);
                float value = output.Row(0, i / 24)[at];
                output.Row(0, i / 24)[at] = value + 1e-3f;
                double more = PictureLoss.Compute(output, targets, 4, ignored);
                output.Row(0, i / 24)[at] = value - 1e-3f;
                double less = PictureLoss.Compute(output, targets, 4, ignored);
                output.Row(0, i / 24)[at] = value;
                Assert.Equal((more - less) / 2e-3, derivatives.Row(0, i / 24)[at], 1e-3);
            }
        }
    }

    [Fact]
    public void A_file_gives_back_the_decoder()
    {
        using TestWeights folder = new();
        TrainedWeights first = First([Pair(1)], 2, 0);
        string path = Path.Combine(folder.Folder, "x.safetensors");
        first.Write(path, new Dictionary<string, string> { ["latent_format"] = "SDXL" });
        TrainedWeights again = TrainedWeights.Read(path);
        Assert.Equal((4, 2), (again.Channels, again.Side));
        using ILatentDecoder a = first.ToDecoder(), b = again.ToDecoder();
        PicturePair pair = Pair(4);
        Assert.Equal(Measure(a, [pair]), Measure(b, [pair]));
    }

    [Fact]
    public void Pairs_of_another_space_are_refused()
    {
        PicturePair[] pairs = [Pair(1)];
        TrainedWeights first = First(pairs, 2, 0);
        Assert.Throws<ArgumentException>(() => new TinyTrainer([Pair(1, channels: 5)], first, new(1), 1));
        Assert.Throws<ArgumentException>(() => new TinyTrainer([Pair(1, side: 4)], first, new(1), 1));
        Assert.Throws<ArgumentException>(() => new TinyTrainer([], first, new(1), 1));
    }
}
