using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using LatentBridge.Files;

namespace LatentBridge.Tests.Files;

/// <summary>Which file is which, and what is refused in each.</summary>
public sealed class TensorFileTests
{
    [Theory]
    [InlineData("", "is empty")]
    [InlineData("version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer")]
    [InlineData("<!DOCTYPE html>", "is a web page")]
    [InlineData("\u0089PNG\r\n\u001a\n", "is a picture")]
    [InlineData("\u00FF\u00D8\u00FF\u00E0", "is a picture")]
    [InlineData("\u0080\u0004K\u0001.", "plain Python pickle: refused")]
    [InlineData("hello world, I am text", "begins with 68656C6C6F20776F")]
    [InlineData("PK\u0003\u0004 and no more", "no directory at its end")]
    [InlineData("\u0080\u0002\u008a\u000a\u006c\u00fc\u009c\u0046\u00f9\u0020\u006a\u00a8\u0050\u0019.", "ends too early")]
    public void What_is_no_file_of_tensors_is_named(string start, string message) => Refused(Encoding.Latin1.GetBytes(start), message);

    [Fact]
    public void Files_that_cannot_be_opened_are_named()
    {
        Assert.Contains("there is no such file", Assert.Throws<LatentBridgeException>(() => TensorFile.Open("/no/such/file.pt")).Message, StringComparison.Ordinal);
        Assert.Contains("is a folder", Assert.Throws<LatentBridgeException>(() => TensorFile.Open(Path.GetTempPath())).Message, StringComparison.Ordinal);
        Assert.Contains("cannot be opened", Assert.Throws<LatentBridgeException>(() => TensorFile.Open("a\0b")).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("<f4", "(2,", "without a usable descr, fortran_order or shape")]
    [InlineData("<f4", "(-2,)", "-2 is negative")]
    [InlineData("<f4", "(3,)", "needs 3 stored elements, found 2")]
    [InlineData("<f4", "(1,)", "has 4 bytes, found 8")]
    [InlineData("<f4", "(99999999999999999999,)", "is no axis")]
    [InlineData("<f4", "(4611686018427387904, 4)", "more elements than can be counted")]
    [InlineData("|O", "(2,)", "Python objects")]
    [InlineData("|V2", "(4,)", "bfloat16 of ml_dtypes")]
    [InlineData("<c8", "(1,)", "element type \"<c8\"")]
    [InlineData("<U2", "(1,)", "element type \"<U2\"")]
    public void Wrong_npy_files_are_refused(string descr, string shape, string message) =>
        Refused(TensorFileWriters.Npy(descr, false, shape, new byte[8]), message);

    [Theory]
    [InlineData(6, 9, "has version 9")]
    [InlineData(9, 255, "ends too early")]
    public void Wrong_npy_heads_are_refused(int at, byte value, string message)
    {
        byte[] file = TensorFileWriters.Npy("<f4", false, "(2,)", new byte[8]);
        file[at] = value;
        Refused(file, message);
    }

    [Fact]
    public void A_header_of_four_gigabytes_is_refused() =>
        Refused([0x93, .. "NUMPY"u8, 2, 0, 0xFF, 0xFF, 0xFF, 0xFF, (byte)'{'], "header of 4294967295 bytes");

    [Fact]
    public void A_zip_of_something_else_is_named() =>
        Refused(TensorFileWriters.Zip(CompressionLevel.NoCompression, ("a.txt", [1])), "is a ZIP file of 1 entries");

    [Fact]
    public void Text_in_an_npz_is_left_out_and_named()
    {
        byte[] text = TensorFileWriters.Npy("<U2", false, "(1,)", new byte[8]);
        using var file = TensorFile.Parse(TensorFileWriters.Zip(CompressionLevel.Optimal, ("prompt.npy", text), ("a.npy", TensorFileWriters.Npy("<f4", false, "(2,)", new byte[8]))), "x");
        Assert.Equal(["a"], file.Tensors.Select(static t => t.Name));
        Assert.StartsWith("left out: it has element type \"<U2\"", file.Metadata["prompt"], StringComparison.Ordinal);
        Refused(TensorFileWriters.Zip(CompressionLevel.Optimal, ("prompt.npy", text)), "has no array of numbers (\"prompt\" left out");
    }

    [Fact]
    public void TorchScript_is_refused() =>
        Refused(TensorFileWriters.Zip(CompressionLevel.NoCompression, ("m/data.pkl", "N."u8.ToArray()), ("m/constants.pkl", "N."u8.ToArray())), "TorchScript");

    [Fact]
    public void A_big_endian_torch_file_is_refused() =>
        Refused(TensorFileWriters.Zip(CompressionLevel.NoCompression, ("m/data.pkl", "N."u8.ToArray()), ("m/byteorder", "big"u8.ToArray())), "byte order \"big\"");

    [Fact]
    public void A_missing_storage_is_named() =>
        Refused(TensorFileWriters.Torch(TensorFileWriters.TensorPickle(6, 0, [6], [1])), "storage \"0\" is named but not there");

    [Fact]
    public void Compressed_torch_files_are_read()
    {
        byte[] values = new byte[4_000_000];
        BinaryPrimitives.WriteSingleLittleEndian(values.AsSpan(3_999_996), 1.5f);
        byte[] file = TensorFileWriters.Zip(
            CompressionLevel.Optimal, ("x/data.pkl", TensorFileWriters.TensorPickle(1_000_000, 0, [1_000_000], [1])), ("x/data/0", values));
        Assert.True(file.Length < 10_000);
        using var read = TensorFile.Parse(file, "x");
        float[] floats = new float[1_000_000];
        read.Tensors[0].CopyTo(floats);
        Assert.Equal(1.5f, floats[^1]);
    }

    [Fact]
    public void A_deflate_bomb_is_refused_by_its_own_claim()
    {
        byte[] file = TensorFileWriters.Zip(CompressionLevel.Optimal, ("a.npy", TensorFileWriters.Npy("<f4", false, "(2,)", new byte[8])));
        int record = file.AsSpan().IndexOf("PK\u0001\u0002"u8);
        BinaryPrimitives.WriteUInt32LittleEndian(file.AsSpan(record + 24), 2_000_000_000);
        Refused(file, "claims to be 2000000000 bytes when inflated");
    }

    [Fact]
    public void Encrypted_and_oddly_compressed_entries_are_refused()
    {
        byte[] file = TensorFileWriters.Zip(CompressionLevel.Optimal, ("a.npy", TensorFileWriters.Npy("<f4", false, "(2,)", new byte[8])));
        int record = file.AsSpan().IndexOf("PK\u0001\u0002"u8);
        file[record + 10] = 12;
        Refused(file, "ZIP method 12");
        file[record + 8] |= 1;
        Refused(file, "is encrypted");
    }

    [Fact]
    public void A_fortran_shape_too_large_to_count_is_refused() =>
        Refused(TensorFileWriters.Npy("<f4", true, "(4611686018427387904, 4, 3)", new byte[8]), "more elements than can be counted");

    [Fact]
    public void A_zip_of_too_many_arrays_is_refused() =>
        Refused(TensorFileWriters.Zip(CompressionLevel.NoCompression, [.. Enumerable.Range(0, 4097).Select(static i => ($"{i}.npy", Array.Empty<byte>()))]), "4097 numpy arrays");

    [Fact]
    public void Names_cannot_steer_the_terminal()
    {
        var e = Assert.Throws<LatentBridgeException>(() => TensorFile.Parse(TensorFileWriters.Safetensors("""{"\u001b[2J":{"dtype":"F32","shape":[7],"data_offsets":[0,0]}}""", []), "x"));
        Assert.Contains("tensor \"?[2J\"", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Zip64_is_read()
    {
        byte[] npy = TensorFileWriters.Npy("<f4", false, "(2,)", [0, 0, 0x80, 0x3F, 0, 0, 0, 0x40]);
        using var file = TensorFile.Parse(Zip64("a.npy", npy), "x");
        float[] values = new float[2];
        file.Find("a")!.CopyTo(values);
        Assert.Equal([1, 2], values);
    }

    [Fact]
    public void Only_what_is_asked_for_is_read()
    {
        const long Length = 1_600_000_000;
        string header = $$$"""{"huge":{"dtype":"F32","shape":[{{{Length}}}],"data_offsets":[0,{{{4 * Length}}}]},"last":{"dtype":"F32","shape":[1],"data_offsets":[{{{4 * Length}}},{{{4 * Length + 4}}}]}}""";
        var bytes = new SparseBytes(TensorFileWriters.Safetensors(header, []), 4 * Length + 4);
        using var file = TensorFile.Open(bytes);
        float[] last = new float[1];
        file.Find("last")!.CopyTo(last);
        Assert.Equal(Length, file.Find("huge")!.Length);
        Assert.InRange(bytes.BytesRead, header.Length + 4, header.Length + 100);
    }

    [Fact]
    public void A_destination_of_another_length_is_misuse()
    {
        using var file = TensorFile.Parse(TensorFileWriters.Safetensors(("a", [2, 3])), "x");
        Assert.Throws<ArgumentException>(() => file.Tensors[0].CopyTo(new float[5]));
        Assert.Throws<ArgumentException>(() => file.Tensors[0].CopyBytesTo(new byte[25]));
    }

    static void Refused(byte[] bytes, string message)
    {
        var e = Assert.Throws<LatentBridgeException>(() => TensorFile.Parse(bytes, "bad"));
        Assert.StartsWith("bad: ", e.Message, StringComparison.Ordinal);
        Assert.Contains(message, e.Message, StringComparison.Ordinal);
    }

    /// <summary>One stored entry whose sizes and offset stand only in ZIP64 fields.</summary>
    static byte[] Zip64(string name, byte[] content)
    {
        using var stream = new MemoryStream();
        using var writer = new BinaryWriter(stream);
        byte[] text = Encoding.UTF8.GetBytes(name);

        writer.Write("PK\u0003\u0004"u8);
        writer.Write(new byte[22]);
        writer.Write((ushort)text.Length);
        writer.Write((ushort)0);
        writer.Write(text);
        writer.Write(content);

        long directory = stream.Position;
        writer.Write("PK\u0001\u0002"u8);
        writer.Write(new byte[16]);
        writer.Write(uint.MaxValue);
        writer.Write(uint.MaxValue);
        writer.Write((ushort)text.Length);
        writer.Write((ushort)28);
        writer.Write(new byte[10]);
        writer.Write(uint.MaxValue);
        writer.Write(text);
        writer.Write((ushort)1);
        writer.Write((ushort)24);
        writer.Write((long)content.Length);
        writer.Write((long)content.Length);
        writer.Write(0L);
        long directoryLength = stream.Position - directory;

        long end = stream.Position;
        writer.Write("PK\u0006\u0006"u8);
        writer.Write(44L);
        writer.Write(new byte[12]);
        writer.Write(1L);
        writer.Write(1L);
        writer.Write(directoryLength);
        writer.Write(directory);
        writer.Write("PK\u0006\u0007"u8);
        writer.Write(0);
        writer.Write(end);
        writer.Write(1);
        writer.Write("PK\u0005\u0006"u8);
        writer.Write(new byte[4]);
        writer.Write(ushort.MaxValue);
        writer.Write(ushort.MaxValue);
        writer.Write(uint.MaxValue);
        writer.Write(uint.MaxValue);
        writer.Write((ushort)0);
        return stream.ToArray();
    }

    /// <summary>A file of which only the start is anything but zeros; counts what is read of it.</summary>
    sealed class SparseBytes(byte[] start, long more) : TensorBytes("sparse", start.Length + more)
    {
        public long BytesRead { get; private set; }

        protected override void ReadCore(long offset, Span<byte> destination)
        {
            destination.Clear();
            if (offset < start.Length)
            {
                ReadOnlySpan<byte> known = start.AsSpan((int)offset);
                known[..Math.Min(known.Length, destination.Length)].CopyTo(destination);
            }

            BytesRead += destination.Length;
        }
    }
}
