using System.Buffers.Binary;
using System.Formats.Tar;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using LatentBridge.Files;
using LatentBridge.Latents;
using LatentBridge.Scanning.Sources;
using LatentBridge.Tests.Files;
using Parquet;
using Parquet.Schema;
using ZstdSharp;

namespace LatentBridge.Scanning.Tests.Sources;

/// <summary>Each kind of shard, on a file written by its documented layout.</summary>
public sealed class LatentShardsTests : IDisposable
{
    readonly string _folder = Directory.CreateTempSubdirectory("latentbridge-shards-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public void A_batch_in_one_npy_is_read_row_by_row()
    {
        ShardItem[] items = Read(Save("batch.npy", TensorFileWriters.Npy("<f2", false, "(3, 4, 8, 8)", Halves(3 * 256))), new() { FormatId = "SDXL" });
        AssertRamp(items, 3, 256);
        Assert.All(items, item => Assert.Equal(new LatentShape(1, 4, 1, 8, 8), item.Latent!.Shape));
    }

    [Fact]
    public void A_fortran_memmap_gives_the_same_rows()
    {
        // Column-major [2,4,1,1]: the first axis is the fastest.
        ShardItem[] items = Read(Save("f.npy", TensorFileWriters.Npy("<f4", true, "(2, 4, 1, 1)", Floats(8))), new() { FormatId = "SD15" });
        Assert.Equal([0f, 2, 4, 6], Values(items[0]));
        Assert.Equal([1f, 3, 5, 7], Values(items[1]));
    }

    [Fact]
    public void Kohyas_npz_gives_each_size_and_the_mirrored_ones_on_purpose()
    {
        string path = Save("photo_0064x0064_sdxl.npz", TensorFileWriters.Zip(
            CompressionLevel.Fastest,
            ("latents_8x8.npy", TensorFileWriters.Npy("<f4", false, "(4, 8, 8)", Floats(256))),
            ("original_size_8x8.npy", TensorFileWriters.Npy("<i8", false, "(2,)", new byte[16])),
            ("latents_flipped_8x8.npy", TensorFileWriters.Npy("<f4", false, "(4, 8, 8)", Floats(256)))));
        ShardItem[] items = Read(path, new());
        Assert.Equal(["latents_8x8", "latents_flipped_8x8"], items.Select(item => item.Key));
        Assert.Equal([false, true], items.Select(item => item.IsMirroredOnPurpose));
        Assert.All(items, item => Assert.Equal(("SDXL", LatentSpace.Vae), (item.Latent!.Format.Id, item.Latent.Space)));
    }

    [Fact]
    public void LightningDiTs_shard_gives_latents_and_mirrored_ones()
    {
        string path = Save("latents_rank00_shard000.safetensors", TensorFileWriters.Safetensors(("labels", [5]), ("latents", [5, 32, 16, 16]), ("latents_flip", [5, 32, 16, 16])));
        ShardItem[] items = Read(path, new() { FormatId = "HunyuanVideo15" });
        Assert.Equal(10, items.Length);
        Assert.Equal(5, items.Count(item => item.IsMirroredOnPurpose));
        Assert.Equal(Enumerable.Range(0, 10), items.Select(item => item.Item));
    }

    [Fact]
    public void Of_means_and_log_variances_the_means_are_read()
    {
        ShardItem[] items = Read(Save("moments.npy", TensorFileWriters.Npy("<f4", false, "(2, 8, 8, 8)", Floats(1024))), new() { FormatId = "SD15" });
        Assert.Equal(2, items.Length);
        Assert.Equal([.. Enumerable.Range(512, 256).Select(i => (float)i)], Values(items[1]));
    }

    [Fact]
    public void SimpleTuners_gzip_is_read()
    {
        using MemoryStream stream = new();
        using (GZipStream gzip = new(stream, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(TensorFileWriters.Torch(TensorFileWriters.TensorPickle(256, 0, [1, 4, 8, 8], [256, 64, 8, 1]), Floats(256)));
        }

        AssertRamp(Read(Save("photo.pt", stream.ToArray()), new() { FormatId = "SDXL" }), 1, 256);
    }

    [Fact]
    public void A_webdataset_tar_gives_its_tensors_and_a_broken_one_is_one_item()
    {
        string path = Path.Combine(_folder, "000.tar");
        using (TarWriter tar = new(File.Create(path)))
        {
            Add("a.npy", TensorFileWriters.Npy("<f4", false, "(4, 8, 8)", Floats(256)));
            Add("a.txt", "a caption"u8.ToArray());
            Add("b.npy", "broken"u8.ToArray());
            Add("c.latent.npy", TensorFileWriters.Npy("<f4", false, "(4, 8, 8)", Floats(256)));

            void Add(string name, byte[] content) => tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { DataStream = new MemoryStream(content) });
        }

        ShardItem[] items = Read(path, new() { FormatId = "SDXL" });
        Assert.Equal(["a.npy", "b.npy", "c.latent.npy"], items.Select(item => item.Key));
        Assert.Equal([false, true, false], items.Select(item => item.Problem is not null));
        Assert.Equal([0, 1, 2], items.Select(item => item.Item));

        File.WriteAllBytes(path, File.ReadAllBytes(path)[..1200]);
        Assert.Throws<LatentBridgeException>(() => Read(path, new() { FormatId = "SDXL" }));
    }

    [Fact]
    public void Diffusion_pipes_shard_is_one_saved_item_after_another()
    {
        byte[] item = TensorFileWriters.Torch(TensorFileWriters.TensorPickle(256, 0, [4, 8, 8], [64, 8, 1]), Floats(256));

        // A value that reads as an end record must not end an item.
        byte[] tricky = Floats(256);
        "PK\u0005\u0006"u8.CopyTo(tricky.AsSpan(400));
        byte[] second = TensorFileWriters.Torch(TensorFileWriters.TensorPickle(256, 0, [4, 8, 8], [64, 8, 1]), tricky);
        string path = Save("shard_0.bin", [.. item, .. second, .. item]);
        ShardItem[] items = Read(path, new() { FormatId = "SDXL" });
        Assert.Equal([(0, null), (1, null), (2, null)], items.Select(found => (found.Item, found.Problem)));
        Assert.Equal(Values(items[0]), Values(items[2]));
        Assert.NotEqual(Values(items[0]), Values(items[1]));

        Save("shard_0.bin", [.. item, .. second.AsSpan(0, second.Length - 30)]);
        Assert.Contains("cut off", Assert.Throws<LatentBridgeException>(() => Read(path, new() { FormatId = "SDXL" })).Message, StringComparison.Ordinal);
        Save("shard_0.bin", "other"u8.ToArray());
        Assert.Throws<NoLatentException>(() => Read(path, new()));
    }

    /// <summary>LTX-Video-Trainer's tokens [F H W, C], and LTX-2's clips [C, F, H, W]; both with the size beside them.</summary>
    [Theory]
    [InlineData(new long[] { 30, 128 }, new long[] { 128, 1 })]
    [InlineData(new long[] { 128, 2, 3, 5 }, new long[] { 1, 1920, 640, 128 })]
    public void Ltxs_precomputed_latents_are_clips_of_the_size_beside_them(long[] axes, long[] strides)
    {
        byte[] tensor = TensorFileWriters.TensorPickle(3840, 0, axes, strides)[2..^1];
        byte[] pickle = [0x80, 2, (byte)'}', (byte)'(', .. Key("latents"), .. tensor, .. Key("num_frames"), (byte)'K', 2, .. Key("height"), (byte)'K', 3, .. Key("width"), (byte)'K', 5, (byte)'u', (byte)'.'];
        string path = Save(Path.Combine(".precomputed", "latents", "clip.pt"), TensorFileWriters.Torch(pickle, Floats(3840)));
        Assert.Equal([path], LatentShards.Find(_folder));
        LoadedLatent latent = Assert.Single(Read(path, new())).Latent!;
        Assert.Equal(("LTXV", LatentSpace.Sampler, new LatentShape(1, 128, 2, 3, 5)), (latent.Format.Id, latent.Space, latent.Shape));

        // Channel c of frame 1, row 2, column 4 is value c of the last token.
        float[] values = MemoryMarshal.Cast<byte, float>(latent.Bytes).ToArray(), written = MemoryMarshal.Cast<byte, float>(Floats(3840)).ToArray();
        Assert.Equal(written[(29 * 128) + 7], values[(7 * 30) + 29]);
        Assert.Equal(written[(3 * 128) + 100], values[(100 * 30) + 3]);

        static byte[] Key(string text) => [(byte)'X', (byte)text.Length, 0, 0, 0, .. Encoding.UTF8.GetBytes(text)];
    }

    [Theory]
    [InlineData("ndarray:float16:4,8,8", "x0")]
    [InlineData("bytes", "latents_256")]
    public void An_mds_shard_gives_its_column(string encoding, string name)
    {
        string path = Save("shard.00000.mds", Mds(encoding == "bytes" ? null : 512, 3));
        Save("index.json", Encoding.UTF8.GetBytes($$"""
            {"version": 2, "shards": [{"column_encodings": ["str", "{{encoding}}", "int"], "column_names": ["caption", "{{name}}", "id"], "column_sizes": [null, {{(encoding == "bytes" ? "null" : "512")}}, 8],
            "compression": null, "format": "mds", "hashes": [], "raw_data": {"basename": "shard.00000.mds", "bytes": 1, "hashes": {} }, "samples": 3, "size_limit": 67108864, "version": 2, "zip_data": null}]}
            """));
        AssertRamp(Read(path, new() { FormatId = "SDXL" }), 3, 256);

        File.WriteAllBytes(path, File.ReadAllBytes(path)[..900]);
        Assert.Contains("cut off", Assert.Throws<LatentBridgeException>(() => Read(path, new())).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("zstd")]
    [InlineData("gz")]
    [InlineData("br")]
    [InlineData("bz2")]
    public void A_compressed_mds_shard_gives_the_same(string compression)
    {
        byte[] raw = Mds(512, 3);
        using MemoryStream packed = new();
        using (Stream pack = compression switch
        {
            "zstd" => new CompressionStream(packed, leaveOpen: true),
            "gz" => new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true),
            _ => new BrotliStream(packed, CompressionLevel.Fastest, leaveOpen: true),
        })
        {
            pack.Write(raw);
        }

        string path = Save($"shard.00000.mds.{compression}", packed.ToArray());
        Save("index.json", Encoding.UTF8.GetBytes($$"""
            {"version": 2, "shards": [{"column_encodings": ["str", "ndarray:float16:4,8,8", "int"], "column_names": ["caption", "x0", "id"], "column_sizes": [null, 512, 8],
            "compression": "{{compression}}", "raw_data": {"basename": "shard.00000.mds", "bytes": {{raw.Length}} }, "samples": 3, "zip_data": {"basename": "shard.00000.mds.{{compression}}", "bytes": {{packed.Length}} } }]}
            """));
        Assert.Equal([path], LatentShards.Find(_folder));
        if (compression == "bz2")
        {
            Assert.Contains("zstd", Assert.Throws<LatentBridgeException>(() => Read(path, new() { FormatId = "SDXL" })).Message, StringComparison.Ordinal);
            return;
        }

        AssertRamp(Read(path, new() { FormatId = "SDXL" }), 3, 256);
        File.WriteAllBytes(path, packed.ToArray()[..(int)(packed.Length / 2)]);
        Assert.Contains("cut off", Assert.Throws<LatentBridgeException>(() => Read(path, new() { FormatId = "SDXL" })).Message, StringComparison.Ordinal);

        // Where the writer kept the raw shard too, that one is read, and each latent once.
        Save("shard.00000.mds", raw);
        AssertRamp([.. LatentShards.Find(_folder).SelectMany(shard => Read(shard, new() { FormatId = "SDXL" }))], 3, 256);
    }

    [Fact]
    public async Task A_parquet_file_gives_bytes_flat_lists_and_nested_lists()
    {
        DataField<byte[]> bytes = new("latent");
        await WriteParquet("bytes.parquet", bytes, group => group.WriteAsync(bytes, (byte[][])[Halves(512)[..512], Halves(512)[512..]]));
        AssertRamp(Read(Path.Combine(_folder, "bytes.parquet"), new() { FormatId = "SDXL" }), 2, 256);

        DataField<float> flat = new("element");
        await WriteParquet("flat.parquet", new ListField("latents", flat), group => WriteFloats(group, flat, i => i % 256 == 0 ? 0 : 1));
        AssertRamp(Read(Path.Combine(_folder, "flat.parquet"), new() { FormatId = "SDXL" }), 2, 256);

        DataField<float> deep = new("element");
        await WriteParquet("nested.parquet", new ListField("latents", new ListField("element", new ListField("element", deep))), group =>
            WriteFloats(group, deep, i => i % 256 == 0 ? 0 : i % 64 == 0 ? 1 : i % 16 == 0 ? 2 : 3));
        ShardItem[] nested = Read(Path.Combine(_folder, "nested.parquet"), new() { FormatId = "SDXL" });
        AssertRamp(nested, 2, 256);
        Assert.Equal(new LatentShape(1, 4, 1, 4, 16), nested[0].Latent!.Shape);

        File.WriteAllBytes(Path.Combine(_folder, "bytes.parquet"), File.ReadAllBytes(Path.Combine(_folder, "bytes.parquet"))[..300]);
        Assert.Contains("Parquet", Assert.Throws<LatentBridgeException>(() => Read(Path.Combine(_folder, "bytes.parquet"), new())).Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_parquet_files_lists_may_be_of_doubles_and_a_row_without_its_values_is_told()
    {
        DataField<double> whole = new("element");
        await WriteParquet("double.parquet", new ListField("latents", whole), group => WriteValues(group, whole, static i => (double)i, static _ => true));
        AssertRamp(Read(Path.Combine(_folder, "double.parquet"), new() { FormatId = "SDXL" }), 2, 256);

        DataField<float?> holes = new("element");
        await WriteParquet("holes.parquet", new ListField("latents", holes), group => WriteValues(group, holes, static i => (float)i, static i => i != 5));
        ShardItem[] items = Read(Path.Combine(_folder, "holes.parquet"), new() { FormatId = "SDXL" });
        Assert.Contains("null", items[0].Problem, StringComparison.Ordinal);
        Assert.Equal(Enumerable.Range(256, 256).Select(i => (float)i), Values(items[1]));
    }

    static Task WriteValues<T>(ParquetRowGroupWriter group, DataField field, Func<int, T> value, Func<int, bool> isThere)
        where T : struct => group.WriteAllPartsAsync<T>(
            field,
            Enumerable.Range(0, 512).Where(isThere).Select(value).ToArray(),
            Enumerable.Range(0, 512).Select(i => isThere(i) ? field.MaxDefinitionLevel : field.MaxDefinitionLevel - 1).ToArray(),
            Enumerable.Range(0, 512).Select(static i => i % 256 == 0 ? 0 : 1).ToArray(),
            TestContext.Current.CancellationToken);

    async Task WriteParquet(string name, Field column, Func<ParquetRowGroupWriter, Task> write)
    {
        await using FileStream file = File.Create(Path.Combine(_folder, name));
        await using ParquetWriter writer = await ParquetWriter.CreateAsync(new ParquetSchema(column), file);
        using ParquetRowGroupWriter group = writer.CreateRowGroup();
        await write(group);
    }

    static Task WriteFloats(ParquetRowGroupWriter group, DataField field, Func<int, int> level) => group.WriteAllPartsAsync<float>(
        field,
        Enumerable.Range(0, 512).Select(i => (float)i).ToArray(),
        Enumerable.Repeat(field.MaxDefinitionLevel, 512).ToArray(),
        Enumerable.Range(0, 512).Select(level).ToArray(),
        TestContext.Current.CancellationToken);

    [Fact]
    public void Files_are_found_in_order_and_text_caches_are_passed_over()
    {
        foreach (string name in (string[])["b.npz", "a.npz", "a_te_outputs.npz", "photo.jpg", "a.txt", "below/c.safetensors"])
        {
            Save(name, [0]);
        }

        Assert.Equal(["a.npz", "b.npz", "below/c.safetensors"], LatentShards.Find(_folder).Select(path => Path.GetRelativePath(_folder, path).Replace('\\', '/')));
    }

    /// <summary>Samples of a caption, a latent of 512 bytes and an id, by the layout that streaming's MDSWriter writes.</summary>
    static byte[] Mds(int? latentSize, int samples)
    {
        byte[] settings = "{\"format\": \"mds\"}"u8.ToArray();
        byte[] latents = Halves(samples * 256);
        List<byte[]> all = [];
        for (int i = 0; i < samples; i++)
        {
            byte[] caption = Encoding.UTF8.GetBytes(new string('x', i + 1));
            byte[] sizes = latentSize is null ? [.. Number(caption.Length), .. Number(512)] : Number(caption.Length);
            all.Add([.. sizes, .. caption, .. latents.AsSpan(i * 512, 512), .. new byte[8]]);
        }

        int at = 4 + (4 * (samples + 1)) + settings.Length;
        List<byte> file = [.. Number(samples), .. Number(at)];
        foreach (byte[] sample in all)
        {
            file.AddRange(Number(at += sample.Length));
        }

        return [.. file, .. settings, .. all.SelectMany(sample => sample)];
    }

    static byte[] Number(int value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        return bytes;
    }

    /// <summary>All values of all items together are 0, 1, 2 and so on (as F16 rounds them).</summary>
    static void AssertRamp(ShardItem[] items, int count, int length)
    {
        Assert.Equal(count, items.Length);
        for (int i = 0; i < count; i++)
        {
            Assert.Equal((i, null), (items[i].Item, items[i].Problem));
            Assert.Equal([.. Enumerable.Range(i * length, length).Select(value => (float)value)], Values(items[i]));
        }
    }

    static float[] Values(ShardItem item)
    {
        LoadedLatent latent = item.Latent!;
        float[] values = new float[latent.Shape.Length];
        TensorConversion.ToSingle(latent.Bytes, latent.ElementType == LatentElementType.F16 ? TensorElementType.F16 : TensorElementType.F32, values);
        return values;
    }

    static byte[] Floats(int count) => [.. Enumerable.Range(0, count).SelectMany(i => BitConverter.GetBytes((float)i))];

    static byte[] Halves(int count) => [.. Enumerable.Range(0, count).SelectMany(i => BitConverter.GetBytes((Half)i))];

    static ShardItem[] Read(string path, LatentRequest request) => [.. LatentShards.Read(path, request)];

    string Save(string name, byte[] bytes)
    {
        string path = Path.Combine(_folder, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        File.WriteAllBytes(path, bytes);
        return path;
    }
}
