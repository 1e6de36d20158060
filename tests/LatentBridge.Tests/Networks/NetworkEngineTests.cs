using LatentBridge.Decoders.Taesd;
using LatentBridge.Decoders.Tiny;
using LatentBridge.Networks;
using LatentBridge.Simd;
using LatentBridge.Testing;

namespace LatentBridge.Tests.Networks;

/// <summary>What must not change a result, and what a run may take.</summary>
public sealed unsafe class NetworkEngineTests
{
    public static TheoryData<string> Networks => ["tiny", "taesd", "taesd-half", "taef2", "encoder", "sana-encoder"];

    [Theory]
    [MemberData(nameof(Networks))]
    [Trait("Category", "Kernels")]
    public void Threads_do_not_change_a_bit(string name)
    {
        Network network = Make(name);
        int side = name.EndsWith("encoder", StringComparison.Ordinal) ? 83 : 11;
        float[] input = ConvolutionTests.Numbers(1, network.InputChannels * side * side);
        float[] one = ConvolutionTests.Run(network, ConvolutionTests.Weights(), input, side, side, Kernel.Width);
        foreach (int threads in (int[])[2, 3, 7])
        {
            Assert.Equal(one, ConvolutionTests.Run(network, ConvolutionTests.Weights(), input, side, side, Kernel.Width, threads));
        }
    }

    [Theory]
    [InlineData("tiny", 233, 100)]
    [InlineData("tiny", 200, 104)]
    [InlineData("taesd", 195, 180)]
    [InlineData("encoder", 1700, 1300)]
    public void A_picture_cut_into_stripes_has_the_bits_of_the_undivided(string name, int width, int stripeWidth)
    {
        Network network = Make(name);
        const int Height = 3;
        Assert.True(NetworkStripes.Cut(network, width, stripeWidth).Stripes.Length > 1);
        float[] input = ConvolutionTests.Numbers(2, network.InputChannels * Height * width);
        float[] whole = ConvolutionTests.Run(network, ConvolutionTests.Weights(), input, Height, width, Kernel.Width, 2, width);
        float[] cut = ConvolutionTests.Run(network, ConvolutionTests.Weights(), input, Height, width, Kernel.Width, 2, stripeWidth);
        Assert.Equal(whole, cut);
    }

    [Theory]
    [MemberData(nameof(Networks))]
    public void Stripes_cover_the_picture_once_and_lie_on_the_grid(string name)
    {
        Network network = Make(name);
        int halo = NetworkStripes.Halo(network), grid = 4 * network.Reduction;
        Assert.Equal(0, halo % grid);
        for (int width = 1; width < 6 * halo; width += 7)
        {
            (int window, NetworkStripe[] stripes) = NetworkStripes.Cut(network, width, 1);
            int covered = 0;
            foreach (NetworkStripe stripe in stripes)
            {
                Assert.Equal(covered, stripe.First);
                Assert.True(stripe.End > stripe.First && stripe.Start >= 0 && stripe.Start + window <= width && stripe.Start % grid == 0);
                Assert.True(stripe.Start == 0 || stripe.First - stripe.Start >= halo);
                Assert.True(stripe.Start + window == width || stripe.Start + window - stripe.End >= halo);
                covered = stripe.End;
            }

            Assert.Equal(width, covered);
        }
    }

    [Theory]
    [InlineData("taesd")]
    [InlineData("tiny")]
    public void Stripes_of_a_huge_picture_are_of_equal_width_and_compute_few_columns_twice(string name)
    {
        Network network = Make(name);
        int maximum = NetworkStripes.FinestColumns / network.Finest, unit = Winograd.Tile * network.Reduction;
        for (int width = maximum + 1; width < 4 * maximum; width += 5)
        {
            (int window, NetworkStripe[] stripes) = NetworkStripes.Cut(network, width, maximum);
            Assert.InRange(window, 1, maximum);
            Assert.InRange(stripes.Max(Width) - stripes.Min(Width), 0, unit + (width % unit));
            double cut = stripes.Sum(stripe => MultiplyAdds(network, NetworkStripes.Columns(network, width, window, stripe)));
            double whole = MultiplyAdds(network, NetworkStripes.Columns(network, width, width, new NetworkStripe(0, 0, width)));
            Assert.InRange(cut / whole, 1, 1.1);
        }

        static int Width(NetworkStripe stripe) => stripe.End - stripe.First;
    }

    [Theory]
    [MemberData(nameof(Networks))]
    public void A_stripe_computes_what_the_layers_behind_need_and_the_last_layer_nothing_else(string name)
    {
        Network network = Make(name);
        int width = (6 * NetworkStripes.Halo(network)) + 3;
        (int window, NetworkStripe[] stripes) = NetworkStripes.Cut(network, width, 1);
        foreach (NetworkStripe stripe in stripes)
        {
            ColumnRange[] columns = NetworkStripes.Columns(network, width, window, stripe);
            int outputs = network.PixelsOf(stripe.End) - network.PixelsOf(stripe.First);
            Assert.InRange(columns[^1].End - columns[^1].First, outputs, outputs + (2 * (Winograd.Tile - 1)));
            int size = network.Layers[0].Reach.Size(window);
            for (int i = 1; i < columns.Length; size = network.Layers[i++].Reach.Size(size))
            {
                RowReach reach = network.Layers[i].Reach;
                Assert.InRange(columns[i - 1].First, 0, reach.First(columns[i].First));
                Assert.InRange(columns[i - 1].End, Math.Min(size, reach.End(columns[i].End)), size);
                Assert.Equal(0, columns[i].First % Winograd.Tile);
            }
        }
    }

    [Fact]
    public void Memory_stays_within_its_bounds_and_is_what_was_foretold()
    {
        using var taesd = Engine("taesd");
        Assert.InRange(taesd.WorkingBytes(128, 128, threads: 2), 0, 150 << 20);
        Assert.InRange(taesd.WorkingBytes(1024, 1024, threads: 2), 0, 300 << 20);
        Assert.InRange(taesd.WorkingBytes(64, 100_000, threads: 2), 0, 300 << 20);
        using var tiny = Engine("tiny");
        Assert.InRange(tiny.WorkingBytes(64, 64, threads: 1), 0, 20 << 20);

        foreach ((int height, int width) in ((int, int)[])[(2, 3), (3, 4), (9, 5)])
        {
            Run(taesd, height, width, 2);
            Assert.Equal(taesd.HeldBytes, taesd.WorkingBytes(height, width, 2));
        }
    }

    [Fact]
    public void A_run_of_the_same_size_allocates_nothing()
    {
        using var engine = Engine("taesd");
        float[] input = new float[4 * 6 * 7], output = new float[3 * 48 * 56];
        fixed (float* from = input)
        fixed (float* to = output)
        {
            nint source = (nint)from, destination = (nint)to;
            Assert.Equal(0, Allocated.By(() => engine.Run(6, 7, (float*)source, null, (float*)destination, null, 2, CancellationToken.None)));
        }
    }

    [Fact]
    public void A_run_stops_when_asked_and_the_next_is_right()
    {
        using var engine = Engine("taesd");
        float[] expected = Run(engine, 8, 9, 2);
        float[] input = new float[4 * 200 * 200], output = new float[3 * 64 * 200 * 200];
        using CancellationTokenSource cancellation = new(TimeSpan.FromMilliseconds(5));
        Assert.ThrowsAny<OperationCanceledException>(() =>
        {
            fixed (float* from = input)
            fixed (float* to = output)
            {
                engine.Run(200, 200, from, null, to, null, 2, cancellation.Token);
            }
        });
        Assert.Equal(expected, Run(engine, 8, 9, 2));
    }

    static float[] Run(NetworkEngine engine, int height, int width, int threads)
    {
        float[] input = ConvolutionTests.Numbers(5, 4 * height * width), output = new float[3 * 64 * height * width];
        fixed (float* from = input)
        fixed (float* to = output)
        {
            engine.Run(height, width, from, null, to, null, threads, TestContext.Current.CancellationToken);
        }

        return output;
    }

    // Of one row of the input; layers are the finer, the more rows they have.
    static double MultiplyAdds(Network network, ColumnRange[] columns)
    {
        double sum = 0, rows = 1;
        for (int i = 0; i < columns.Length; i++)
        {
            rows *= network.Layers[i].Reach switch { RowReach.Doubled => 2, RowReach.Halved => 0.5, _ => 1 };
            sum += rows * (columns[i].End - columns[i].First) * network.Layers[i].MultiplyAdds;
        }

        return sum;
    }

    static NetworkEngine Engine(string name)
    {
        Network network = Make(name);
        Dictionary<string, float[]> tensors = network.Tensors.ToDictionary(tensor => tensor.Name, ConvolutionTests.Weights());
        return new NetworkEngine(network, tensor => tensors[tensor], Kernel.Width);
    }

    static Network Make(string name) => name switch
    {
        "tiny" => TinyDecoder.Network(4),
        "taesd" => TaesdNetworks.Decoder(4, groupNorm: false, half: false),
        "taesd-half" => TaesdNetworks.Decoder(4, groupNorm: false, half: true),
        "taef2" => TaesdNetworks.Decoder(32, groupNorm: true, half: false),
        "sana-encoder" => TaesdNetworks.SanaEncoder(32),
        _ => TaesdNetworks.Encoder(4, groupNorm: false),
    };
}
