using System.Text;
using LatentBridge.Files;

namespace LatentBridge.Tests.Files;

public sealed class SafetensorsWriterTests
{
    [Fact]
    public void Bytes_are_as_the_format_says()
    {
        using var stream = new MemoryStream();
        SafetensorsWriter.Write(
            stream,
            [new("b", TensorElementType.U8, [3], new byte[] { 1, 2, 3 }), StoredTensor.FromValues("a", [1f, -2f], [1, 2])],
            new Dictionary<string, string> { ["latent_format"] = "SD15" });
        const string Header = """{"__metadata__":{"latent_format":"SD15"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}}""";
        int padded = (Header.Length + 7) / 8 * 8;
        byte[] expected = [(byte)padded, 0, 0, 0, 0, 0, 0, 0, .. Encoding.ASCII.GetBytes(Header.PadRight(padded)), 0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0, 1, 2, 3];
        Assert.Equal(expected, stream.ToArray());
    }

    [Theory]
    [InlineData(1f, 0x3F80)]
    [InlineData(1.00390625f, 0x3F80)] // halfway between two: to the even one
    [InlineData(1.01171875f, 0x3F82)]
    [InlineData(1.0039064f, 0x3F81)]
    [InlineData(float.MaxValue, 0x7F80)]
    [InlineData(float.PositiveInfinity, 0x7F80)]
    [InlineData(float.NaN, 0xFFC0)]
    [InlineData(-0f, 0x8000)]
    public void BF16_is_rounded_to_nearest_even(float value, int bits) =>
        Assert.Equal([(byte)bits, (byte)(bits >> 8)], StoredTensor.FromValues("a", [value], [1], TensorElementType.BF16).Bytes.ToArray());

    [Fact]
    public void F16_and_BF16_read_back_as_rounded()
    {
        string path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid()}.safetensors");
        try
        {
            SafetensorsWriter.Write(path, [
                StoredTensor.FromValues("h", [0.1f, 65504f], [2], TensorElementType.F16),
                StoredTensor.FromValues("b", [0.1f, 3e38f], [2], TensorElementType.BF16)]);
            using var file = TensorFile.Open(path);
            float[] values = new float[2];
            file.Find("h")!.CopyTo(values);
            Assert.Equal([(float)(Half)0.1f, 65504f], values);
            file.Find("b")!.CopyTo(values);
            Assert.Equal(0.1f, values[0], 0.0004f);
            Assert.Equal([path], Directory.EnumerateFiles(Path.GetDirectoryName(path)!, $"{Path.GetFileName(path)}*"));
        }
        finally
        {
            File.Delete(path);
        }
    }

    [Fact]
    public void Misuse_is_refused()
    {
        Assert.Throws<ArgumentException>(() => Write(new StoredTensor("a", TensorElementType.F32, [2], new byte[4])));
        Assert.Throws<ArgumentException>(() => Write(new StoredTensor("a", TensorElementType.F32, [-1], new byte[4])));
        Assert.Throws<ArgumentException>(() => Write(new StoredTensor("a", TensorElementType.U8, [1], new byte[1]), new StoredTensor("a", TensorElementType.U8, [1], new byte[1])));
        Assert.Throws<ArgumentException>(() => Write(new StoredTensor("__metadata__", TensorElementType.U8, [1], new byte[1])));
        Assert.Throws<ArgumentOutOfRangeException>(() => StoredTensor.FromValues("a", [1f], [1], TensorElementType.I32));
    }

    [Fact]
    public void A_folder_that_is_not_there_is_named()
    {
        string path = Path.Combine(Path.GetTempPath(), $"{Guid.NewGuid()}", "a.safetensors");
        var e = Assert.Throws<LatentBridgeException>(() => SafetensorsWriter.Write(path, []));
        Assert.StartsWith($"{path}: cannot be written", e.Message, StringComparison.Ordinal);
    }

    static void Write(params StoredTensor[] tensors) => SafetensorsWriter.Write(new MemoryStream(), tensors);
}
