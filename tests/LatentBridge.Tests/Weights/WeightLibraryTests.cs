using LatentBridge.Decoders;
using LatentBridge.Decoders.Mlp;
using LatentBridge.Decoders.Polynomial;
using LatentBridge.Decoders.Taehv;
using LatentBridge.Decoders.Taesd;
using LatentBridge.Weights;

namespace LatentBridge.Tests.Weights;

public sealed class WeightLibraryTests : IDisposable
{
    readonly TestWeights _weights = new();

    public void Dispose() => _weights.Dispose();

    [System.Runtime.InteropServices.DllImport("libc", CharSet = System.Runtime.InteropServices.CharSet.Ansi)]
    static extern int mkfifo(string path, uint mode);

    static List<(string Name, long[] Dimensions, float[] Values)> Taesd(int channels = 4) =>
        TestWeights.Random(TaesdNetworks.DecoderArchitecture, 1, ("1.weight", [64, channels, 3, 3]), ("19.weight", [3, 64, 3, 3]));

    static List<(string Name, long[] Dimensions, float[] Values)> Mlp() =>
        TestWeights.Random(MlpDecoder.Architecture, 2, ("in_proj.weight", [12, 4]), ("hidden_layers.0.weight", [12, 12]), ("out_proj.weight", [3, 12]));

    static FoundWeights Only(string path) => Assert.Single(LatentDecoders.Networks.Look(path));

    [Fact]
    public void Own_decoders_are_found_and_known_by_their_numbers()
    {
        var library = LatentDecoders.Weights([WeightLibrary.OwnFolder()!]);

        string[] found = [.. library.Found.Select(f => $"{f.Stem} {f.Architecture} {string.Join("+", f.Formats)} {f.Known?.Id} {f.Problem}")];

        Assert.Equal(
        [
            "mlp-flux1 mlp-3x3 Flux mlp-flux1 ",
            "mlp-flux2 mlp-3x3 Flux2 mlp-flux2 ",
            "mlp-sd1 mlp-3x3 SD15 mlp-sd1 ",
            "mlp-sd3 mlp-3x3 SD3 mlp-sd3 ",
            "mlp-sdxl mlp-3x3 SDXL+SDXL_Playground_2_5 mlp-sdxl ",
            "tiny-flux1 latentbridge-tiny Flux tiny-flux1 ",
            "tiny-flux2 latentbridge-tiny Flux2 tiny-flux2 ",
            "tiny-sd1 latentbridge-tiny SD15 tiny-sd1 ",
            "tiny-sd3 latentbridge-tiny SD3 tiny-sd3 ",
            "tiny-sdxl latentbridge-tiny SDXL+SDXL_Playground_2_5 tiny-sdxl ",
        ], found);
    }

    [Fact]
    public async Task A_pipe_under_a_models_name_is_not_opened_and_said_so_and_a_link_to_one_neither()
    {
        Assert.SkipWhen(OperatingSystem.IsWindows(), "Windows has no pipes in folders");
        string pipe = Path.Combine(_weights.Folder, "pipe.safetensors");
        Assert.Equal(0, mkfifo(pipe, 0x180));
        File.CreateSymbolicLink(Path.Combine(_weights.Folder, "link.pt"), pipe);
        string real = _weights.Write("real/mlp.safetensors", Mlp(), "SD15");
        File.CreateSymbolicLink(Path.Combine(_weights.Folder, "more.safetensors"), real);

        // Opening the pipe would wait until somebody writes into it: for ever.
        CancellationToken cancellation = TestContext.Current.CancellationToken;
        IReadOnlyList<FoundWeights> found = await Task.Run(() => LatentDecoders.Weights([_weights.Folder]).Found, cancellation).WaitAsync(TimeSpan.FromSeconds(5), cancellation);
        Assert.Equal(
            ["link.pt no", "more.safetensors yes", "pipe.safetensors no", "mlp.safetensors yes"],
            found.Select(f => $"{f.FileName} {(f.Problem is null ? "yes" : f.Problem.Contains("a pipe or a device", StringComparison.Ordinal) ? "no" : f.Problem)}"));
        Assert.Throws<LatentBridgeException>(() => LatentBridge.Files.TensorFile.Open(pipe));
    }

    [Fact]
    public void A_folder_that_does_not_answer_is_named_and_keeps_nobody_from_the_others()
    {
        using var answer = new ManualResetEventSlim();
        var networks = new NetworkCatalogue([MlpDecoder.Architecture]);
        networks.Add(new ModelKind(".hang", path =>
        {
            answer.Wait(TestContext.Current.CancellationToken);
            return new() { Path = path, Architecture = "late", Title = "late" };
        }));
        string hung = Path.Combine(_weights.Folder, "hung");
        string good = Path.GetDirectoryName(_weights.Write("good/mlp.safetensors", Mlp(), "SD15"))!;
        Directory.CreateDirectory(hung);
        File.WriteAllText(Path.Combine(hung, "a.hang"), "x");
        var library = new WeightLibrary([hung, Path.Combine(_weights.Folder, "nowhere"), good], networks) { Limit = TimeSpan.FromMilliseconds(200) };
        Assert.Empty(library.FoundSoFar);

        using var changed = new SemaphoreSlim(0);
        library.Start(() => changed.Release());
        Assert.True(changed.Wait(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken) && changed.Wait(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
        Assert.Equal(["mlp.safetensors"], library.FoundSoFar.Select(found => found.FileName));
        Assert.Equal(["hung", "mlp.safetensors"], library.Found.Select(found => found.FileName));
        Assert.Contains("did not answer within 0.2 seconds", library.Found[0].Problem, StringComparison.Ordinal);

        answer.Set();
        Assert.True(changed.Wait(TimeSpan.FromSeconds(30), TestContext.Current.CancellationToken));
        Assert.Equal(["a.hang", "mlp.safetensors"], library.Found.Select(found => found.FileName));
    }

    [Fact]
    public void Whoever_wants_to_know_of_a_folder_knows_before_the_wait_for_it_is_over()
    {
        bool hasHeard = false;
        var library = LatentDecoders.Weights([_weights.Folder]);
        library.Start(() =>
        {
            // Long enough for the other thread, were it not held back.
            SpinWait.SpinUntil(() => false, TimeSpan.FromMilliseconds(50));
            Volatile.Write(ref hasHeard, true);
        });
        Assert.Empty(library.Found);
        Assert.True(Volatile.Read(ref hasHeard));
    }

    [Fact]
    public void Bundled_files_have_the_lengths_and_hashes_of_the_manifest()
    {
        foreach (KnownWeights known in WeightManifest.Known.Where(k => k.Bundled))
        {
            byte[] bytes = File.ReadAllBytes(Path.Combine(WeightLibrary.OwnFolder()!, known.File));
            Assert.Equal(known.ByteLength, bytes.Length);
            Assert.Equal(known.Sha256, Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(bytes)));
        }
    }

    [Fact]
    public void Every_published_file_of_the_test_data_is_told_for_what_it_is()
    {
        string folder = TestData.Require("models");
        Dictionary<string, FoundWeights> found = LatentDecoders.Weights([folder]).Found.Where(f => f.Known is not null).ToDictionary(f => f.Known!.Id);

        Assert.Equal(WeightManifest.Known.Where(k => k.Architecture != "mlp-encoder" && !k.File.StartsWith("maps/", StringComparison.Ordinal)).Select(k => k.Id).Order(), found.Keys.Order());
        Assert.All(found.Values, f => Assert.Equal((null, f.Known!.Architecture, f.Known.Channels), (f.Problem, f.Architecture, f.Channels)));
        Assert.Equal(["SDXL", "SDXL_Playground_2_5"], found["taesdxl_decoder"].Formats);
    }

    [Theory]
    [InlineData("decoder.")]
    [InlineData("taesd_decoder.")]
    [InlineData("first_stage_model.taesd.decoder.")]
    public void Prefixes_of_keys_are_accepted(string prefix)
    {
        string path = _weights.Write("a.safetensors", Taesd().Select(t => (prefix + t.Name, t.Dimensions, t.Values)), "SDXL");

        FoundWeights found = Only(path);

        Assert.Equal(("taesd-decoder", null), (found.Architecture, found.Problem));
        Assert.Equal(["SDXL", "SDXL_Playground_2_5"], found.Formats);
        using NetworkTensors tensors = found.Open();
        Assert.Equal(Taesd()[5].Values, tensors.Take(Taesd()[5].Name));
    }

    [Fact]
    public void Diffusers_keys_are_accepted_decoder_and_encoder_in_one_file()
    {
        var decoder = Taesd().Select(t => ("decoder.layers." + TensorShapes.ShiftIndex(t.Name, -1), t.Dimensions, t.Values));
        var encoder = TestWeights.Random(TaesdNetworks.EncoderArchitecture, 3, ("0.weight", [64, 3, 3, 3]), ("14.weight", [4, 64, 3, 3])).Select(t => ("encoder.layers." + t.Name, t.Dimensions, t.Values));
        string path = _weights.Write("diffusion_pytorch_model.safetensors", [.. decoder, .. encoder], "SD15");

        IReadOnlyList<FoundWeights> found = LatentDecoders.Networks.Look(path);

        Assert.Equal(["taesd-decoder", "taesd-encoder"], found.Select(f => f.Architecture).Order());
        Assert.All(found, f => Assert.Null(f.Problem));
        using NetworkTensors tensors = found.First(f => f.Architecture == "taesd-decoder").Open();
        Assert.Equal(Taesd()[^2].Values, tensors.Take("19.weight"));
    }

    [Fact]
    public void Wrappers_scale_and_shift_are_passed_over()
    {
        string path = _weights.Write("sdxl.safetensors", [.. Taesd(), ("vae_scale", [], [1]), ("vae_shift", [], [0])]);
        Assert.Null(Only(path).Problem);
    }

    [Fact]
    public void Unknown_numbers_are_told_by_the_name_and_it_is_said()
    {
        FoundWeights found = Only(_weights.Write("my-XL-tune.safetensors", Taesd()));
        Assert.Equal(["SDXL", "SDXL_Playground_2_5"], found.Formats);
        Assert.Contains("name", found.ToldBy, StringComparison.Ordinal);
    }

    [Fact]
    public void Unknown_numbers_under_a_name_that_says_nothing_are_refused_with_what_to_do()
    {
        FoundWeights found = Only(_weights.Write("model.safetensors", Taesd(16)));
        Assert.Empty(found.Formats);
        Assert.Contains("'sd3'", found.Problem, StringComparison.Ordinal);
        Assert.Contains("'flux'", found.Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void A_shape_that_one_format_has_needs_no_name() =>
        Assert.Equal(["SD15"], Only(_weights.Write("x.safetensors", Mlp())).Formats);

    [Fact]
    public void A_missing_tensor_is_named_with_its_shape()
    {
        FoundWeights found = Only(_weights.Write("sd1.safetensors", Taesd().Where(t => t.Name != "8.conv.2.weight")));
        Assert.Equal("tensor '8.conv.2.weight' [64, 64, 3, 3] is missing.", found.Problem);
        LatentBridgeException thrown = Assert.Throws<LatentBridgeException>(() => found.Open());
        Assert.Contains("8.conv.2.weight", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Whatever_tensor_is_missing_renamed_or_turned_nothing_is_loaded()
    {
        List<(string Name, long[] Dimensions, float[] Values)>[] networks =
        [
            Mlp(),
            TestWeights.Random(PolynomialDecoder.Architecture, 5, ("polynomial.linear", [3, 4])),
        ];
        foreach (var network in networks)
        {
            Assert.Null(Only(_weights.Write("sd1.safetensors", network)).Problem);
            foreach (var tensor in network)
            {
                var rest = network.Where(t => t.Name != tensor.Name).ToArray();
                (string, long[], float[]) renamed = (tensor.Name + "_", tensor.Dimensions, tensor.Values);
                (string, long[], float[]) flat = (tensor.Name, [tensor.Values.Length, 1], tensor.Values);
                Assert.NotNull(Only(_weights.Write("sd1.safetensors", rest)).Problem);
                Assert.NotNull(Only(_weights.Write("sd1.safetensors", [.. rest, renamed])).Problem);
                Assert.NotNull(Only(_weights.Write("sd1.safetensors", [.. rest, flat])).Problem);
            }
        }
    }

    [Fact]
    public void A_tensor_of_another_shape_is_named_with_both()
    {
        var tensors = Taesd().Select(t => t.Name == "12.weight" ? (t.Name, [64L, 64, 1, 1], new float[64 * 64]) : t);
        Assert.Equal("tensor '12.weight' is [64, 64, 1, 1]; [64, 64, 3, 3] was expected.", Only(_weights.Write("sd1.safetensors", tensors)).Problem);
    }

    [Fact]
    public void A_tensor_too_many_is_named() =>
        Assert.Contains("'20.weight'", Only(_weights.Write("sd1.safetensors", [.. Taesd(), ("20.weight", [1], [1])])).Problem, StringComparison.Ordinal);

    [Theory]
    [InlineData(float.NaN)]
    [InlineData(float.NegativeInfinity)]
    public void A_number_that_is_none_is_named_with_its_tensor(float bad)
    {
        var tensors = Mlp();
        tensors.First(t => t.Name == "hidden_layers.0.weight").Values[7] = bad;
        string path = _weights.Write("x.safetensors", tensors);

        using NetworkTensors open = LatentDecoders.Networks.Open(path, "mlp-decoder");
        LatentBridgeException thrown = Assert.Throws<LatentBridgeException>(() => open.Take("hidden_layers.0.weight"));

        Assert.Contains("number 7 of tensor 'hidden_layers.0.weight'", thrown.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Networks_that_cannot_be_used_are_recognised_all_the_same()
    {
        string approx = _weights.Write("v.safetensors", [("conv1.weight", [8, 4, 7, 7], new float[8 * 4 * 49]), ("conv8.weight", [3, 8, 3, 3], new float[3 * 8 * 9])]);
        Assert.Equal("approx-nn", Only(approx).Architecture);
        Assert.StartsWith("not supported: the UI", Only(approx).Problem, StringComparison.Ordinal);

        string other = _weights.Write("o.safetensors", [("lora_up", [1], [1])]);
        Assert.Equal(FoundWeights.UnknownArchitecture, Only(other).Architecture);
        Assert.Contains("'lora_up'", Only(other).Problem, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("taehv", 16, 1, "HunyuanVideo")]
    [InlineData("taew2_1", 16, 1, "Wan21")]
    [InlineData("my Wan 2.1 preview", 16, 1, "Wan21")]
    [InlineData("lighttaew2_1", 16, 1, "Wan21")]
    [InlineData("taecvx", 16, 1, "CogVideoX, CogVideoX1_5")]
    [InlineData("taew2_2", 48, 2, "Wan22")]
    [InlineData("lighttaew2_2", 48, 2, "Wan22")]
    [InlineData("taehv1_5", 32, 2, "HunyuanVideo15")]
    [InlineData("lighttaehy1_5", 32, 2, "HunyuanVideo15")]
    [InlineData("anything", 24, 2, "MiniMaxH3Video, MiniMaxH3AV")]
    [InlineData("anything", 128, 4, "LTXAV")]
    public void Video_decoders_are_told_by_their_shapes_and_then_by_their_names(string name, long channels, long patch, string formats)
    {
        long stride = patch == 4 ? 2 : 1;
        string path = _weights.Write($"{name}.safetensors", TestWeights.Random(
            TaehvNetworks.Architecture, 3, ("1.weight", [256, channels, 3, 3]), ("22.weight", [3 * patch * patch, 64, 3, 3]),
            ("7.conv.weight", [256 * stride, 256, 1, 1]), ("13.conv.weight", [256, 128, 1, 1]), ("19.conv.weight", [128, 64, 1, 1])));
        Assert.Equal((formats, null), (string.Join(", ", Only(path).Formats), Only(path).Problem));
        Assert.Equal(name == "anything" ? null : name.StartsWith("my", StringComparison.Ordinal) ? "taew2_1" : name, name == "anything" ? null : Only(path).Variant);
    }

    [Fact]
    public void A_video_decoder_that_could_be_several_is_not_used_and_the_message_names_them()
    {
        string path = _weights.Write("preview.safetensors", TestWeights.Random(
            TaehvNetworks.Architecture, 3, ("1.weight", [256, 16, 3, 3]), ("22.weight", [3, 64, 3, 3]),
            ("7.conv.weight", [256, 256, 1, 1]), ("13.conv.weight", [256, 128, 1, 1]), ("19.conv.weight", [128, 64, 1, 1])));
        Assert.Contains("lighttaew2_1, taew2_1, taecvx, taeos1_3, taehv have the same shapes", Only(path).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void Damaged_files_are_listed_with_the_reason_and_hurt_nothing()
    {
        string good = _weights.Write("a-sdxl.safetensors", Taesd());
        byte[] bytes = File.ReadAllBytes(good);
        File.WriteAllBytes(Path.Combine(_weights.Folder, "b.safetensors"), bytes[..(bytes.Length / 2)]);
        File.WriteAllBytes(Path.Combine(_weights.Folder, "c.pt"), []);
        File.WriteAllText(Path.Combine(_weights.Folder, "readme.txt"), "not weights");

        IReadOnlyList<FoundWeights> found = LatentDecoders.Weights([_weights.Folder, "/no/such/folder"]).Found;

        Assert.Equal(["a-sdxl", "b", "c"], found.Select(f => f.Stem));
        Assert.Equal([false, true, true], found.Select(f => f.Problem is not null));
    }

    [Fact]
    public void A_changed_file_is_looked_at_again_after_a_refresh()
    {
        string path = _weights.Write("sub/one.safetensors", [("nothing", [1], [1])]);
        var library = LatentDecoders.Weights([_weights.Folder]);
        Assert.NotNull(Assert.Single(library.Found).Problem);

        _weights.Write("sub/one.safetensors", Mlp());
        Assert.NotNull(Assert.Single(library.Found).Problem);
        library.Refresh();

        Assert.Null(Assert.Single(library.Found).Problem);
        Assert.Equal(Path.GetFullPath(path), library.Found[0].Path);
    }

    [Fact]
    public void Weights_stored_with_fewer_bits_keep_their_fingerprint_and_strangers_do_not()
    {
        foreach (KnownWeights known in WeightManifest.Known)
        {
            float[] rounded = [.. known.Fingerprint.Select(value => BitConverter.UInt32BitsToSingle(BitConverter.SingleToUInt32Bits(value) + 0x8000 & 0xFFFF0000))];
            float[] negated = [.. known.Fingerprint.Select(value => -value)];

            Assert.Same(known, WeightManifest.Nearest(known.Architecture, known.Channels, rounded)!.Value.Weights);
            Assert.True(WeightManifest.Nearest(known.Architecture, known.Channels, rounded)!.Value.Distance < WeightManifest.SameWeights / 2);
            Assert.True(WeightManifest.Nearest(known.Architecture, known.Channels, negated)!.Value.Distance > WeightManifest.Relatives);
            Assert.All(WeightManifest.Known.Where(other => other != known && other.Architecture == known.Architecture && other.Channels == known.Channels), other =>
                Assert.True(Distance(known.Fingerprint, other.Fingerprint) > 2 * WeightManifest.Relatives, $"{known.Id} and {other.Id}"));
        }

        static double Distance(IReadOnlyList<float> a, IReadOnlyList<float> b) =>
            Math.Sqrt(a.Zip(b, (x, y) => (double)(x - y) * (x - y)).Sum() / a.Sum(x => (double)x * x));
    }
}
