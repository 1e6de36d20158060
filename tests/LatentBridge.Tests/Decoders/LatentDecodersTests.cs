using LatentBridge.Decoders;
using LatentBridge.Decoders.Polynomial;
using LatentBridge.Formats;
using LatentBridge.Testing;
using LatentBridge.Tests.Weights;
using LatentBridge.Weights;

namespace LatentBridge.Tests.Decoders;

/// <summary>The catalogue, and what every decoder in it owes: whatever is added there is tested here.</summary>
public sealed class LatentDecodersTests : IDisposable
{
    static readonly WeightLibrary Weights = LatentDecoders.Weights([WeightLibrary.OwnFolder()!, .. TestData.Folder is { } data ? [Path.Combine(data, "models")] : Array.Empty<string>()]);

    readonly TestWeights _weights = new();

    public static TheoryData<string> Formats => [.. LatentFormats.Ids];

    public void Dispose() => _weights.Dispose();

    void WritePolynomial(string name, int seed, string format) =>
        _weights.Write(name, TestWeights.Random(PolynomialDecoder.Architecture, seed, ("polynomial.linear", [3, 4]), ("polynomial.quadratic", [])), format);

    [Theory]
    [InlineData("SD15")]
    [InlineData("SDXL")]
    [InlineData("SDXL_Playground_2_5")]
    [InlineData("SD3")]
    [InlineData("Flux")]
    [InlineData("Flux2")]
    public void The_big_families_have_a_tiny_decoder_without_any_download(string format)
    {
        IReadOnlyList<DecoderEntry> entries = LatentDecoders.For(LatentFormats.Get(format), LatentDecoders.Weights([WeightLibrary.OwnFolder()!]));
        Assert.Equal(["tiny", "mlp", "latent2rgb", "estimated"], entries.Select(e => e.Description.Id));
    }

    [Fact]
    public void With_weights_at_hand_the_best_picture_comes_first()
    {
        TestData.Require("models");
        IReadOnlyList<DecoderEntry> entries = LatentDecoders.For(LatentFormats.Get("SD15"), Weights);
        Assert.Equal(
            ["taesd", "taesd-half", "tiny", "mlp", "latent2rgb", "mlp:decoder_sd1.4", "mlp:decoder_sd1.5", "mlp:decoder_wd1.3", "mlp:decoder_wd1.4", "mlp:decoder_wd1.5", "estimated"],
            entries.Select(e => e.Description.Id));
    }

    [Theory]
    [MemberData(nameof(Formats))]
    public void Every_decoder_of_every_format_keeps_its_promises(string id)
    {
        LatentFormat format = LatentFormats.Get(id);
        IReadOnlyList<DecoderEntry> entries = LatentDecoders.For(format, Weights);

        Assert.NotEmpty(entries);
        Assert.Equal(entries.Count, entries.Select(e => e.Description.Id).Distinct().Count());
        Assert.Equal(entries.OrderByDescending(e => e.Description.Quality), entries);
        foreach (DecoderEntry entry in entries)
        {
            using ILatentDecoder decoder = entry.Load();
            Assert.Equal(entry.Description, decoder.Description with { Id = entry.Description.Id });
            Assert.Equal(format.PlaneChannels, decoder.Description.Channels);
            Assert.True(decoder.WorkingBytes(64, 64) >= 0);
            Assert.True(decoder.Description.MultiplyAddsPerCell > 0);
            KeepsItsPromises(decoder);
        }
    }

    static void KeepsItsPromises(ILatentDecoder decoder)
    {
        const int Height = 5, Width = 3;
        int channels = decoder.Description.Channels;
        uint state = 3;
        float[] values = [.. Enumerable.Range(0, channels * Height * Width).Select(_ => 3 * TestWeights.Next(ref state))];
        (int width, int height) = decoder.Description.OutputSize(Height, Width);
        var first = new byte[3 * width * height];
        var second = new byte[first.Length];

        decoder.Decode(new(values, channels, Height, Width), first, 1, CancellationToken.None);
        Assert.Equal(0, Allocated.By(() => decoder.Decode(new(values, channels, Height, Width), second, 1, CancellationToken.None)));
        Assert.True(first.Distinct().Count() > 1, "a picture of one level");
        Assert.ThrowsAny<OperationCanceledException>(() => decoder.Decode(new(values, channels, Height, Width), second, 1, new CancellationToken(true)));
        Assert.Throws<ArgumentException>(() => decoder.Decode(new(values, channels, Height, Width), new byte[second.Length + 1], 1, CancellationToken.None));
        Assert.Throws<ArgumentException>(() => decoder.Decode(new(new float[channels + 1], channels + 1, 1, 1), new byte[second.Length], 1, CancellationToken.None));
    }

    [Fact]
    public void Of_two_files_of_a_kind_the_first_has_the_plain_id_and_the_second_its_name()
    {
        WritePolynomial("a.safetensors", 1, "SDXL");
        WritePolynomial("b.safetensors", 2, "SDXL");
        WritePolynomial("sub/b.safetensors", 3, "SDXL");
        WritePolynomial("c.safetensors", 4, "SD15");

        IEnumerable<string> ids = LatentDecoders.For(LatentFormats.Get("SDXL_Playground_2_5"), LatentDecoders.Weights([_weights.Folder])).Select(e => e.Description.Id);

        Assert.Equal(["quadratic", "quadratic:b", "quadratic:b-2", "latent2rgb", "estimated"], ids);
    }

    [Fact]
    public void The_same_known_weights_in_two_places_are_one_decoder()
    {
        string copy = Path.Combine(_weights.Folder, "copy.safetensors");
        File.Copy(Path.Combine(WeightLibrary.OwnFolder()!, "tiny", "tiny-sd3.safetensors"), copy);

        IReadOnlyList<DecoderEntry> entries = LatentDecoders.For(LatentFormats.Get("SD3"), LatentDecoders.Weights([_weights.Folder, WeightLibrary.OwnFolder()!]));

        Assert.Equal("copy.safetensors", Assert.Single(entries, e => e.Description.Id.StartsWith("tiny", StringComparison.Ordinal)).Description.Source);
    }

    [Fact]
    public void A_file_gone_since_it_was_found_is_named()
    {
        WritePolynomial("gone.safetensors", 1, "SD15");
        DecoderEntry entry = LatentDecoders.For(LatentFormats.Get("SD15"), LatentDecoders.Weights([_weights.Folder]))[0];
        File.Delete(Path.Combine(_weights.Folder, "gone.safetensors"));
        Assert.Contains("gone.safetensors", Assert.Throws<LatentBridgeException>(() => entry.Load()).Message, StringComparison.Ordinal);
    }
}
