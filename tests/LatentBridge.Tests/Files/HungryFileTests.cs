using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using LatentBridge.Files;
using LatentBridge.Testing;
using LatentBridge.Weights;

namespace LatentBridge.Tests.Files;

/// <summary>Small files that ask for much memory: what reading them allocates is bounded by the file and the one tensor asked for.</summary>
public sealed class HungryFileTests
{
    const long Slack = 8 << 20;

    [Fact]
    public void A_view_that_repeats_is_refused_before_memory_is_taken()
    {
        byte[] file = TensorFileWriters.Torch(TensorFileWriters.TensorPickle(1, 0, [1, 4, 8192, 8192], [0, 0, 0, 0]), new byte[4]);
        Assert.InRange(file.Length, 0, 1000);
        long allocated = Allocated.By(() =>
        {
            using var tensors = TensorFile.Parse(file, "x");
            var e = Assert.Throws<LatentBridgeException>(() => LatentFile.Load(tensors, "x", new()));
            Assert.Contains("repeats 4 stored bytes to 1073741824", e.Message, StringComparison.Ordinal);
        });
        Assert.InRange(allocated, 0, Slack);
    }

    [Fact]
    public void A_deflated_tensor_takes_its_own_size_and_nothing_beside()
    {
        const int Side = 2048;
        const long Length = 4L * 4 * Side * Side;
        byte[] file = TensorFileWriters.Zip(CompressionLevel.Optimal, ("latents.npy", TensorFileWriters.Npy("<f4", false, $"(4, {Side}, {Side})", new byte[Length])));
        Assert.InRange(file.Length, 0, Length / 500);
        long allocated = Allocated.By(() =>
        {
            using var tensors = TensorFile.Parse(file, "x");
            Assert.Equal(Length, LatentFile.Load(tensors, "x", new()).Bytes.Length);
        });
        Assert.InRange(allocated, Length, Length + Slack);
    }

    [Fact]
    public void Entries_of_a_zip_that_share_bytes_are_refused()
    {
        byte[] file = TensorFileWriters.Zip(
            CompressionLevel.Optimal, ("a.npy", TensorFileWriters.Npy("<f4", false, "(2,)", new byte[8])), ("b.npy", TensorFileWriters.Npy("<f4", false, "(2,)", new byte[8])));
        int first = file.AsSpan().IndexOf("PK\u0001\u0002"u8), second = first + 4 + file.AsSpan(first + 4).IndexOf("PK\u0001\u0002"u8);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(second + 42), 0);
        var e = Assert.Throws<LatentBridgeException>(() => TensorFile.Parse(file, "x"));
        Assert.Contains("parts overlap", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Thousands_of_arrays_take_little_each()
    {
        byte[] npy = TensorFileWriters.Npy("<f4", false, "(2,)", new byte[8]);
        byte[] file = TensorFileWriters.Zip(CompressionLevel.Optimal, [.. Enumerable.Range(0, 4000).Select(i => ($"{i}.npy", npy))]);
        long allocated = Allocated.By(() =>
        {
            using var tensors = TensorFile.Parse(file, "x");
            Assert.Equal(4000, tensors.Tensors.Count);
        });
        Assert.InRange(allocated, 0, 64 << 20);
    }

    [Theory]
    [InlineData("dtype")]
    [InlineData("shape")]
    [InlineData("data_offsets")]
    [InlineData("name")]
    public void Messages_stay_short(string where)
    {
        string much = new('9', 1 << 20), numbers = string.Join(",", Enumerable.Repeat("1", 1 << 19));
        string header = where switch
        {
            "dtype" => $$$"""{"a":{"dtype":"{{{much}}}","shape":[1],"data_offsets":[0,99]}}""",
            "shape" => $$$"""{"a":{"dtype":"F32","shape":[{{{numbers}}}],"data_offsets":[0,99]}}""",
            "data_offsets" => $$$"""{"a":{"dtype":"F32","shape":[1],"data_offsets":[{{{numbers}}}]}}""",
            _ => $$$"""{"{{{much}}}":{"dtype":"F32","shape":[1],"data_offsets":[0,99]}}""",
        };
        var e = Assert.Throws<LatentBridgeException>(() => TensorFile.Parse(TensorFileWriters.Safetensors(header, new byte[4]), "x"));
        Assert.InRange(e.Message.Length, 10, 2100);
    }

    [Fact]
    public void A_header_of_17_megabytes_is_read()
    {
        string filler = new(' ', 17 << 20);
        using var file = TensorFile.Parse(TensorFileWriters.Safetensors($$$"""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}{{{filler}}}""", new byte[4]), "x");
        Assert.Equal("a", file.Tensors[0].Name);
    }

    [Fact]
    public void Gzip_takes_the_inflated_length_and_is_refused_where_it_is_cut_off()
    {
        byte[] npy = TensorFileWriters.Npy("<f4", false, "(4, 512, 512)", new byte[4 * 4 * 512 * 512]);
        using MemoryStream packed = new();
        using (GZipStream gzip = new(packed, CompressionLevel.Optimal, leaveOpen: true))
        {
            gzip.Write(npy);
        }

        byte[] file = packed.ToArray();
        long allocated = Allocated.By(() =>
        {
            using var tensors = TensorFile.Parse(file, "x");
            Assert.Equal([4, 512, 512], tensors.Tensors[0].Dimensions);
        });
        Assert.InRange(allocated, npy.Length, npy.Length + Slack);
        var e = Assert.Throws<LatentBridgeException>(() => TensorFile.Parse(file.AsMemory(0, file.Length / 2), "x"));
        Assert.StartsWith("x: ", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void What_steers_a_terminal_is_cleaned_in_one_place()
    {
        Assert.Equal("a?[2Jb?c?", ShownText.Clean("a\u001b[2Jb\u009bc\u202e"));
        Assert.Equal("Käse\tund\nBrot", ShownText.Clean("Käse\tund\nBrot"));
        Assert.Equal("two?lines", ShownText.Shorten("two\nlines"));
        Assert.Equal(83, ShownText.Shorten(new('x', 1000)).Length);
    }

    [Fact]
    public void Weights_are_found_under_every_usual_ending()
    {
        string folder = TestData.Require("cases", "files", "weights");
        WeightLibrary library = LatentBridge.Decoders.LatentDecoders.Weights([folder]);
        Assert.Equal(["diffusion_pytorch_model.bin", "map.ckpt", "map.sft"], library.Found.Where(static found => found.Problem is null).Select(static found => found.FileName));
    }
}
