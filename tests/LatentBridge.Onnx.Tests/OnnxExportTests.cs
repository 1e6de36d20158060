using LatentBridge.Decoders;
using LatentBridge.Decoders.Taehv;
using LatentBridge.Files;
using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Networks;
using LatentBridge.Onnx.Export;
using LatentBridge.Onnx.Model;
using LatentBridge.Weights;

namespace LatentBridge.Onnx.Tests;

public sealed class OnnxExportTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("latentbridge-onnx-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_converted_network_says_what_it_is()
    {
        FoundWeights tiny = LatentDecoders.Networks.Look(Path.Combine(TestData.RepositoryRoot, "models", "tiny", "tiny-sdxl.safetensors"))[0];
        string path = Path.Combine(_folder, "a.onnx");
        File.WriteAllBytes(path, OnnxExport.Convert(tiny));
        OnnxModel model = OnnxModel.Read(path);
        FoundWeights found = OnnxModels.Recognise(path);

        Assert.Equal("\"latent\" F32 [?, 4, ?, ?]", model.Input.ToString());
        Assert.Equal("\"picture\" F32 [?, 3, ?, ?]", model.Output.ToString());
        Assert.Equal((4, PictureRange.Unit, LatentSpace.Sampler), (model.PixelsPerCell, model.Notes.Range, model.Space));
        Assert.Equal(324_864, model.Cost.MultiplyAddsPerCell);
        Assert.Equal((4, "its metadata"), (found.Channels, found.ToldBy));
        Assert.Equal(["SDXL", "SDXL_Playground_2_5"], found.Formats);
    }

    [Theory]
    [InlineData("models/tiny/tiny-sd1.safetensors", "SD15", "tiny")]
    [InlineData("models/tiny/tiny-flux2.safetensors", "Flux2", "tiny")]
    [InlineData("taesd_decoder.safetensors", "SD15", "taesd")]
    [InlineData("taesd3_decoder.safetensors", "SD3", "taesd")]
    [InlineData("taef2_decoder.pth", "Flux2", "taesd")]
    public void A_converted_network_paints_in_ONNX_Runtime_what_it_paints_here(string file, string formatId, string decoder)
    {
        string weights = file.StartsWith("models/", StringComparison.Ordinal) ? Path.Combine(TestData.RepositoryRoot, file) : TestData.Require("models", file);
        FoundWeights found = LatentDecoders.Networks.Look(weights)[0];
        string path = Path.Combine(_folder, "converted.onnx");
        File.WriteAllBytes(path, OnnxExport.Convert(found));

        LatentFormat format = LatentFormats.Get(formatId);
        using ILatentDecoder theirs = OnnxCatalogue.Load(path, formatId);
        using ILatentDecoder ours = LatentDecoders.For(format, LatentDecoders.Weights([Path.GetDirectoryName(weights)!]))
            .First(entry => entry.Description.Id == decoder && entry.Description.Source == found.FileName).Load();
        foreach ((int height, int width) in new[] { (9, 5), (1, 1), (16, 24) })
        {
            float[] values = OnnxCatalogue.Latent(format.PlaneChannels, height, width);
            Assert.Equal(ours.Description.OutputSize(height, width), theirs.Description.OutputSize(height, width));
            byte[] expected = Decode(ours, values, height, width), actual = Decode(theirs, values, height, width);
            Assert.All(expected.Zip(actual), pair => Assert.InRange(pair.First - pair.Second, -1, 1));
        }
    }

    /// <summary>Growth in time, memory blocks with a past and without, pixel shuffle; and the block whose input goes through a convolution.</summary>
    [Theory]
    [InlineData("taew2_2", "Wan22", "taehv")]
    [InlineData("taeh3-picture", "MiniMaxH3Video", "taehv")]
    public void A_video_decoder_of_seeded_numbers_paints_the_picture_of_one_frame_that_it_paints_here(string name, string formatId, string decoder)
    {
        Network network = name == "taew2_2" ? TaehvNetworks.Decoder(new(48, 2, (1, 2, 2)), TaehvSize.Full, isLeaky: false) : TaehvNetworks.H3Picture(24);
        string weights = Path.Combine(_folder, $"{name}.safetensors"), path = Path.Combine(_folder, "converted.onnx");
        SafetensorsWriter.Write(weights, network.Tensors.Select(Seeded));
        FoundWeights found = LatentDecoders.Networks.Look(weights)[0];
        File.WriteAllBytes(path, OnnxExport.Convert(found));

        LatentFormat format = LatentFormats.Get(formatId);
        using ILatentDecoder theirs = OnnxCatalogue.Load(path, formatId);
        using ILatentDecoder ours = LatentDecoders.For(format, LatentDecoders.Weights([_folder]))
            .First(entry => entry.Description.Id == decoder && entry.Description.Source == found.FileName).Load();
        float[] values = OnnxCatalogue.Latent(format.PlaneChannels, 3, 2);
        byte[] expected = Decode(ours, values, 3, 2), actual = Decode(theirs, values, 3, 2);
        Assert.All(expected.Zip(actual), pair => Assert.InRange(pair.First - pair.Second, -1, 1));
        Assert.True(expected.Distinct().Count() > 50);

        static StoredTensor Seeded(ExpectedTensor tensor)
        {
            Random random = new(tensor.Name.Length + (int)tensor.Length);
            float scale = tensor.Dimensions.Length == 1 ? 0.4f : 3 / MathF.Sqrt(tensor.Length / tensor.Dimensions[0]);
            return StoredTensor.FromValues(tensor.Name, [.. Enumerable.Range(0, (int)tensor.Length).Select(_ => (random.NextSingle() - 0.5f) * scale)], tensor.Dimensions);
        }
    }

    [Fact]
    public void An_encoder_is_converted_and_is_no_decoder()
    {
        FoundWeights found = LatentDecoders.Networks.Look(TestData.Require("models", "taesd_encoder.safetensors"))[0];
        string path = Path.Combine(_folder, "encoder.onnx");
        File.WriteAllBytes(path, OnnxExport.Convert(found));
        Assert.Contains("it turns pictures into latents", OnnxModels.Recognise(path).Problem, StringComparison.Ordinal);
    }

    [Fact]
    public void What_has_no_ONNX_form_is_named()
    {
        string path = TestData.Require("models", "birch_approx_vae", "decoder_sd1.4.pt");
        LatentBridgeException failure = Assert.Throws<LatentBridgeException>(() => OnnxExport.Convert(LatentDecoders.Networks.Look(path)[0]));
        Assert.Contains("per-cell MLP decoder", failure.Message, StringComparison.Ordinal);
    }

    static byte[] Decode(ILatentDecoder decoder, float[] values, int height, int width)
    {
        (int across, int down) = decoder.Description.OutputSize(height, width);
        byte[] picture = new byte[3 * across * down];
        decoder.Decode(new LatentPlanes(values, decoder.Description.Channels, height, width), picture, 1, CancellationToken.None);
        return picture;
    }
}
