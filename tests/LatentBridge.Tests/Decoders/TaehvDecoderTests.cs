using LatentBridge.Decoders;
using LatentBridge.Decoders.Taehv;
using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Networks;
using LatentBridge.Simd;
using LatentBridge.Testing;
using LatentBridge.Tests.Weights;
using LatentBridge.Weights;

namespace LatentBridge.Tests.Decoders;

public sealed class TaehvDecoderTests : IDisposable
{
    /// <summary>How far sums in another order, Winograd's among them, may be apart, as a share of the pictures' range.</summary>
    const float Tolerance = 5e-5f;

    const int Seed = 31;

    readonly TestWeights _weights = new();

    /// <summary>Scalar kernels are slow: they try one network, or all where this processor has no others.</summary>
    public static TheoryData<KernelWidth> FastWidths => [.. Kernel.Supported.Where(width => width == Kernel.Width || width != KernelWidth.Scalar)];

    public void Dispose() => _weights.Dispose();

    [Fact]
    [Trait("Category", "Kernels")]
    public void Scalar_kernels_give_what_torch_gives() => AssertDecodes("taehv-16", KernelWidth.Scalar, Shape(16, 1, 1), "Wan21", "taew2_1");

    [Theory]
    [MemberData(nameof(FastWidths))]
    [Trait("Category", "Kernels")]
    public void Videos_of_seeded_numbers_give_what_torch_gives(KernelWidth width)
    {
        AssertDecodes("taehv-16", width, Shape(16, 1, 1), "Wan21", "taew2_1");
        AssertDecodes("taehv-48", width, Shape(48, 2, 1), "Wan22", "taew2_2");
        AssertDecodes("taehv-128", width, Shape(128, 4, 2), "LTXAV", "taeltx_2");
    }

    [Theory]
    [MemberData(nameof(FastWidths))]
    [Trait("Category", "Kernels")]
    public void Smaller_pictures_give_what_torch_gives(KernelWidth width)
    {
        AssertDecodes("taehv-half-16", width, Shape(16, 1, 1), "Wan21", "taew2_1", TaehvSize.Half);
        AssertDecodes("taehv-cells-16", width, Shape(16, 1, 1), "Wan21", "taew2_1", TaehvSize.Cells);
    }

    [Theory]
    [MemberData(nameof(FastWidths))]
    [Trait("Category", "Kernels")]
    public void Wide_and_super_give_what_torch_gives(KernelWidth width)
    {
        AssertDecodes("taehv-wide-128", width, WideShape, "LTXAV", "taeltx2_3_wide", TaehvSize.Full, TaehvNetworks.WideArchitecture, 34);
        AssertDecodes("taehv-super-48", width, SuperShape(48), "Wan22", "any", TaehvSize.Full, TaehvNetworks.SuperArchitecture, 35);
        AssertDecodes("taehv-super-32", width, SuperShape(32), "HunyuanVideo15", "any", TaehvSize.Full, TaehvNetworks.SuperArchitecture, 35);
    }

    [Fact]
    [Trait("Category", "Kernels")]
    public void Scalar_kernels_of_super_give_what_torch_gives() =>
        AssertDecodes("taehv-super-32", KernelWidth.Scalar, SuperShape(32), "HunyuanVideo15", "any", TaehvSize.Full, TaehvNetworks.SuperArchitecture, 35);

    [Theory]
    [InlineData("taehv", "taew2_1")]
    [InlineData("wide", "taeltx2_3_wide")]
    [InlineData("super", "taew2_2_super")]
    public void A_wide_picture_cut_into_stripes_is_the_same_byte_for_byte(string kind, string variant)
    {
        const int Height = 2, Width = 61;
        (NetworkArchitecture architecture, (string, long[])[] shape, int channels, string format) = kind switch
        {
            "wide" => (TaehvNetworks.WideArchitecture, WideShape, 128, "LTXAV"),
            "super" => (TaehvNetworks.SuperArchitecture, SuperShape(48), 48, "Wan22"),
            _ => (TaehvNetworks.Architecture, Shape(16, 1, 1), 16, "Wan21"),
        };
        using NetworkTensors tensors = Open(architecture, Seed, variant, shape);
        Assert.Equal(variant, tensors.Found.Variant);
        float[] latent = Numbers(2 * channels * Height * Width);
        byte[] whole = Decode(null, 1), cut = Decode(1, 2);
        Assert.True(whole.Distinct().Count() > 20);
        Assert.Equal(whole, cut);

        byte[] Decode(int? stripeWidth, int threads)
        {
            using var decoder = new TaehvDecoder(tensors, LatentFormats.Get(format), TaehvSize.Full, Kernel.Width, stripeWidth);
            int side = decoder.Description.PixelsPerCell;
            byte[] picture = new byte[3 * side * side * Height * Width];
            decoder.Decode(new LatentPlanes(latent, 1, channels, Height, Width), picture, threads, TestContext.Current.CancellationToken);
            return picture;
        }
    }

    [Fact]
    public void Picture_decoders_of_video_latents_give_what_torch_gives()
    {
        AssertDecodes("taeqi-64", Kernel.Width, [("1.weight", [256, 64, 3, 3]), ("20.weight", [16, 64, 3, 3])], "QwenImage21", "taeqi", TaehvSize.Full, TaehvNetworks.QwenImageArchitecture, 32);
        AssertDecodes("taeh3-picture-24", Kernel.Width, [("1.weight", [96, 24, 3, 3]), ("23.weight", [3, 64, 3, 3])], "MiniMaxH3Video", "any", TaehvSize.Full, TaehvNetworks.H3PictureArchitecture, 33);
    }

    /// <summary>LightX2V's file bends negative values, has pictures of -1..1 and reads the VAE's scale.</summary>
    [Fact]
    public void The_leaky_one_gives_what_torch_gives_of_a_latent_in_the_vaes_scale()
    {
        LatentFormat format = LatentFormats.Get("HunyuanVideo15");
        Golden golden = Golden.Committed("taehv-leaky-32");
        float[] sampler = [.. golden.Latent.Select(value => value * format.ScaleFactor)];
        AssertDecodes(golden with { Latent = sampler }, Kernel.Width, Shape(32, 2, 1), "HunyuanVideo15", "lighttaehy1_5", TaehvSize.Full, TaehvNetworks.Architecture, Seed, Tolerance);
    }

    [Theory]
    [InlineData(null, false, 3, 5)]
    [InlineData(24, false, 3, 5)]
    [InlineData(null, true, 3, 5)]
    [InlineData(null, false, 40, 12)]
    [InlineData(null, true, 40, 4)]
    public void One_frame_after_the_other_gives_the_same_bits_as_all_at_once(int? stripeWidth, bool isSuper, int height, int width)
    {
        const int Frames = 4;
        (NetworkArchitecture architecture, (string, long[])[] shape) = isSuper ? (TaehvNetworks.SuperArchitecture, SuperShape(48)) : (TaehvNetworks.Architecture, Shape(16, 1, 1));
        using NetworkTensors tensors = Open(architecture, Seed, "taew2_1", shape);
        Network network = tensors.Found.Layout.Network!;
        int channels = network.InputChannels;
        using var engine = new FrameEngine(network, tensors.Take, Kernel.Width, stripeWidth);
        float[] latent = Numbers(Frames * channels * height * width);
        int picture = 3 * network.Enlargement * network.Enlargement * height * width, perFrame = network.FramesPerFrame;
        float[] whole = new float[Frames * perFrame * picture], one = new float[whole.Length];
        Run(engine, latent, 0, FrameMemory.None, [.. Enumerable.Range(0, Frames * perFrame)], whole, 0, threads: 2);
        for (int frame = 0; frame < Frames; frame++)
        {
            Run(engine, latent, frame, frame == 0 ? FrameMemory.Begins : FrameMemory.GoesOn, [.. Enumerable.Range(0, perFrame)], one, frame * perFrame, threads: 1 + (frame % 2));
        }

        Assert.Equal(whole, one);

        unsafe void Run(FrameEngine engine, float[] latent, int first, FrameMemory memory, int[] wanted, float[] output, int at, int threads)
        {
            fixed (float* planes = latent, pictures = output)
            {
                engine.Run(height, width, planes + (first * channels * height * width), memory, wanted, pictures + ((long)at * picture), isBytes: false, threads, TestContext.Current.CancellationToken);
            }
        }
    }

    [Fact]
    public void A_second_picture_of_a_size_allocates_nothing_and_memory_does_not_grow_with_the_height()
    {
        using NetworkTensors tensors = Open(TaehvNetworks.Architecture, Seed, "taew2_1", Shape(16, 1, 1));
        using var decoder = new TaehvDecoder(tensors, LatentFormats.Get("Wan21"));
        float[] latent = Numbers(3 * 16 * 4);
        byte[] picture = new byte[3 * 64 * 4];
        Decode();
        Assert.Equal(0, Allocated.By(Decode));
        Assert.InRange(decoder.WorkingBytes(2400, 60), 1, decoder.WorkingBytes(600, 60) * 21 / 20); // rounding of steps
        Assert.InRange(decoder.WorkingBytes(60, 104), 1, 480L << 20);
        Assert.InRange(decoder.ClipBytes(90, 160), 1, 900L << 20); // a clip of 1280 x 720, of any length

        void Decode() => decoder.Decode(new LatentPlanes(latent, 2, 16, 2, 2), picture, 1, CancellationToken.None);
    }

    /// <summary>The figures of the family's own arithmetic, TGrow left out: it costs nothing once folded.</summary>
    [Fact]
    public void An_exact_picture_of_one_frame_costs_what_its_layers_say()
    {
        Network network = TaehvNetworks.Decoder(new(16, 1, (1, 2, 2)), TaehvSize.Full, isLeaky: false);
        Assert.InRange(NeededFrames.MultiplyAddsPerPixel(network, [3]), 25e6, 27.6e6);
        Assert.InRange(NeededFrames.MultiplyAddsPerPixel(network, [7]), 45e6, 49.1e6);
        Assert.InRange(NeededFrames.MultiplyAddsPerPixel(TaehvNetworks.Decoder(new(16, 1, (1, 2, 2)), TaehvSize.Half, false), [0]), 10e6, 19.6e6);
    }

    [Fact]
    public void The_published_files_have_as_many_numbers_as_wide_and_super_take()
    {
        Assert.Equal(28_607_536, TaehvNetworks.Wide(new(128, 4, (2, 2, 2)), TaehvSize.Full).Tensors.Sum(tensor => tensor.Length));
        Assert.Equal(18_993_420, TaehvNetworks.Super(new(48, 2, (1, 2, 2))).Tensors.Sum(tensor => tensor.Length));
        Assert.Equal(18_985_228, TaehvNetworks.Super(new(32, 2, (1, 2, 2))).Tensors.Sum(tensor => tensor.Length));
    }

    [Fact]
    public void Pictures_before_the_clip_are_dropped_as_each_model_has_it()
    {
        for (int frames = 1; frames <= 9; frames++)
        {
            Assert.Equal(Enumerable.Range(3, (4 * frames) - 3), TaehvFrames.Kept("taew2_1", 4, frames));
            Assert.Equal(Enumerable.Range(7, (8 * frames) - 7), TaehvFrames.Kept("taeltx_2", 8, frames));
            Assert.Equal(frames % 2 == 0 ? 4 * frames : (4 * frames) - 3, TaehvFrames.Kept("taecvx", 4, frames).Count());
            Assert.Equal(frames switch { 1 => 1, <= 5 => 5, 6 => 18, _ => 22 }, TaehvFrames.Kept("taeh3", 4, frames).Count());
        }

        Assert.Equal([.. Enumerable.Range(3, 17), .. Enumerable.Range(23, 5)], TaehvFrames.Kept("taeh3", 4, 7));
    }

    static (string, long[])[] Shape(long channels, long patch, long firstStride) =>
    [
        ("1.weight", [256, channels, 3, 3]), ("22.weight", [3 * patch * patch, 64, 3, 3]),
        ("7.conv.weight", [256 * firstStride, 256, 1, 1]), ("13.conv.weight", [256, 128, 1, 1]), ("19.conv.weight", [128, 64, 1, 1]),
    ];

    static (string, long[])[] WideShape =>
    [
        ("1.weight", [1024, 128, 3, 3]), ("22.weight", [48, 64, 3, 3]),
        ("7.conv.weight", [2048, 1024, 1, 1]), ("13.conv.weight", [1024, 512, 1, 1]), ("19.conv.weight", [512, 256, 1, 1]),
    ];

    static (string, long[])[] SuperShape(long channels) =>
    [
        ("0.weight", [512, channels, 1, 1]), ("22.weight", [12, 64, 3, 3]),
        ("7.conv.weight", [256, 256, 1, 1]), ("14.conv.weight", [256, 128, 1, 1]), ("21.conv.weight", [128, 64, 1, 1]),
    ];

    static float[] Numbers(int count)
    {
        uint state = 5;
        return [.. Enumerable.Range(0, count).Select(_ => 2 * TestWeights.Next(ref state))];
    }

    NetworkTensors Open(NetworkArchitecture architecture, int seed, string name, (string, long[])[] given)
    {
        IEnumerable<(string Name, long[], float[])> tensors = TestWeights.Random(architecture, seed, given)
            .Select(tensor => (TensorShapes.ShiftIndex(tensor.Name, architecture.IndexShift), tensor.Dimensions, tensor.Values));
        return LatentDecoders.Networks.Open(_weights.Write($"{name}.safetensors", tensors), architecture.Id);
    }

    void AssertDecodes(string golden, KernelWidth width, (string, long[])[] shape, string format, string name, TaehvSize size = TaehvSize.Full, NetworkArchitecture? architecture = null, int seed = Seed) =>
        AssertDecodes(Golden.Committed(golden), width, shape, format, name, size, architecture ?? TaehvNetworks.Architecture, seed, Tolerance);

    /// <summary>The golden's latent has several frames and its picture as many: the last one of each frame, made of it and those before.</summary>
    void AssertDecodes(Golden golden, KernelWidth width, (string, long[])[] shape, string format, string name, TaehvSize size, NetworkArchitecture architecture, int seed, float tolerance)
    {
        using NetworkTensors tensors = Open(architecture, seed, name, shape);
        using var decoder = new TaehvDecoder(tensors, LatentFormats.Get(format), size, width);
        int frame = golden.Channels * golden.Height * golden.Width, frames = golden.Latent.Length / frame, length = golden.Picture.Length / frames;
        float range = golden.Picture.Max() - golden.Picture.Min();
        float[] picture = new float[length];
        for (int before = 0; before < frames; before++)
        {
            var planes = new LatentPlanes(golden.Latent.AsSpan(0, (before + 1) * frame), before, golden.Channels, golden.Height, golden.Width);
            decoder.DecodeUnclamped(planes, picture, threads: 2, TestContext.Current.CancellationToken);
            float worst = picture.Zip(golden.Picture.Skip(before * length), (a, b) => MathF.Abs(a - b)).Max();
            Assert.True(worst <= tolerance * range, $"{name}, {before} frames before: off by {worst:g3} of a range of {range:g3}");
        }
    }
}
