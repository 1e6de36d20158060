using System.Buffers.Binary;
using LatentBridge.Files;

namespace LatentBridge.Tests.Files;

public sealed class SafetensorsReaderTests
{
    [Fact]
    public void Reads_values_shape_and_metadata()
    {
        byte[] data = [0, 0, 0x80, 0x3F, 0, 0, 0x00, 0xC0, 0x00, 0x3C, 0x80, 0x3F];
        using var file = TensorFile.Parse(
            TensorFileWriters.Safetensors("""{"__metadata__":{"latent_format":"SD15"},"a":{"dtype":"F32","shape":[1,2],"data_offsets":[0,8]},"h":{"dtype":"F16","shape":[],"data_offsets":[8,10]},"b":{"dtype":"BF16","shape":[1],"data_offsets":[10,12]}}""", data), "x");

        Assert.Equal(TensorFileKind.Safetensors, file.Kind);
        Assert.Equal("SD15", file.Metadata["latent_format"]);
        Assert.Equal(["a", "h", "b"], file.Tensors.Select(t => t.Name));
        Assert.Equal([1, 2], file.Find("a")!.Dimensions);
        Assert.Equal([1f, -2f], Values(file.Find("a")!));
        Assert.Equal([1f], Values(file.Find("h")!));
        Assert.Equal([1f], Values(file.Find("b")!));
        Assert.Null(file.Find("c"));
    }

    [Theory]
    [InlineData("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}""", "needs 2 stored elements, found 1", 4)]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}""", "data_offsets give it 8", 8)]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", "the tensors end at 4 of 8 bytes", 8)]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", "overlap or leave a hole", 8)]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", "overlap or leave a hole", 4)]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}""", "names \"a\" twice", 8)]
    [InlineData("""{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}""", "-1 is negative", 4)]
    [InlineData("""{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,4]}}""", "more elements than can be counted", 4)]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}""", "needs dtype, shape and data_offsets", 4)]
    [InlineData("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,9223372036854775807]}}""", "needs dtype, shape and data_offsets", 4)]
    [InlineData("""{"a":{"shape":[1],"data_offsets":[0,4]}}""", "found no dtype", 4)]
    [InlineData("""{"a":[[[[[[[[[[1]]]]]]]]]]}""", "not as it must be", 0)]
    [InlineData("""{"a":{"dtype":"F32","shape":[1.5],"data_offsets":[0,4]}}""", "not as it must be", 4)]
    [InlineData("""{} x""", "not as it must be", 0)]
    [InlineData("""{"a":""", "not as it must be", 0)]
    public void Refuses_what_does_not_fit(string header, string message, int dataLength)
    {
        var e = Assert.Throws<LatentBridgeException>(() => TensorFile.Parse(TensorFileWriters.Safetensors(header, new byte[dataLength]), "bad.safetensors"));
        Assert.StartsWith("bad.safetensors: ", e.Message, StringComparison.Ordinal);
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(1UL << 63)]
    [InlineData(ulong.MaxValue)]
    [InlineData(3UL)]
    public void Refuses_a_header_longer_than_the_file(ulong length)
    {
        byte[] file = TensorFileWriters.Safetensors("{}", []);
        BinaryPrimitives.WriteUInt64LittleEndian(file, length);
        var e = Assert.Throws<LatentBridgeException>(() => TensorFile.Parse(file, "x"));
        Assert.Contains($"header of {length} bytes", e.Message, StringComparison.Ordinal);
    }

    static float[] Values(TensorEntry entry)
    {
        float[] values = new float[entry.Length];
        entry.CopyTo(values);
        return values;
    }
}
