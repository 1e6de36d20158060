using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Onnx.Model;
using LatentBridge.Onnx.Runtime;

namespace LatentBridge.Onnx.Tests.Runtime;

public sealed class OnnxProviderTests : IDisposable
{
    /// <summary>Loads, and fails as soon as it computes: the model's width is said to be 3.</summary>
    static readonly OnnxProvider FailsAtRunTime = new("Faulty", "", options => options.AddFreeDimensionOverrideByName("axis3", 3));

    static readonly OnnxProvider FailsToLoad = new("Absent", "", _ => throw new DllNotFoundException("no such library"));

    readonly TestModel _model = new();

    public void Dispose() => _model.Dispose();

    [Fact]
    public void One_that_fails_at_run_time_is_left_for_the_next_and_named()
    {
        using OnnxDecoder decoder = Decoder([FailsToLoad, FailsAtRunTime, OnnxProvider.Cpu]);
        byte[] picture = Decode(decoder, threads: 1);
        Assert.Equal([255, 255, 255], picture[..3]);
        Assert.StartsWith("model-sd1.onnx, CPU; Absent failed: no such library; Faulty failed: ", decoder.Description.Source, StringComparison.Ordinal);
    }

    [Fact]
    public void Where_none_is_left_the_last_ones_reason_is_told()
    {
        using OnnxDecoder decoder = Decoder([FailsToLoad]);
        Assert.Equal($"'{Path.Combine(_model.Folder, "model-sd1.onnx")}' on Absent: no such library", Assert.Throws<LatentBridgeException>(() => Decode(decoder, threads: 1)).Message);
    }

    [Fact]
    public void Fewer_threads_are_obeyed_at_once_and_more_when_they_are_asked_for_again_and_again()
    {
        int loads = 0;
        using OnnxDecoder decoder = Decoder([new("Counting", "", _ => loads++)]);
        foreach ((int threads, int expected) in new[] { (2, 1), (2, 1), (1, 2), (2, 2), (2, 2), (1, 2), (2, 2), (2, 2), (2, 3), (2, 3) })
        {
            _ = Decode(decoder, threads);
            Assert.Equal(expected, loads);
        }
    }

    OnnxDecoder Decoder(OnnxProvider[] providers)
    {
        _model.Input("x", OnnxFile.F32, -1, 4, -2, -3).Output("y", OnnxFile.F32, -1, 3, -2, -3).Colours("x", "y");
        OnnxModel model = OnnxModel.Read(_model.Write("""{ "range": "0..1" }"""));
        return new(model, LatentFormats.Get("SD15"), new DecoderDescription("onnx:model-sd1", "model-sd1.onnx", 4, 1, 1, 1), providers);
    }

    static byte[] Decode(OnnxDecoder decoder, int threads)
    {
        byte[] picture = new byte[3 * 5 * 7];
        float[] values = new float[4 * 5 * 7];
        Array.Fill(values, 1);
        decoder.Decode(new LatentPlanes(values, 4, 5, 7), picture, threads, CancellationToken.None);
        return picture;
    }
}
