using System.Formats.Tar;
using System.Text;
using LatentBridge.Files;
using LatentBridge.Scanning.Sources;
using LatentBridge.Tests.Files;
using Parquet;
using Parquet.Schema;

namespace LatentBridge.Fuzz.Tests;

/// <summary>The shards that trainers cache latents in.</summary>
static partial class Targets
{
    const string MdsName = "shard.00000.mds";

    static readonly LatentRequest Sdxl = new() { FormatId = "SDXL" };

    static bool ReadTar(byte[] bytes) => ReadShard(TarShard.Read(new MemoryStream(bytes), "case.tar", Sdxl));

    static bool ReadMds(byte[] bytes) => ReadShard(MdsShard.Read(TensorBytes.FromMemory(bytes, MdsName), MdsIndex(), MdsName, Sdxl));

    static bool ReadMdsIndex(byte[] bytes) => ReadShard(MdsShard.Read(TensorBytes.FromMemory(Mds(), MdsName), bytes, MdsName, Sdxl));

    static bool ReadPipe(byte[] bytes) => ReadShard(DiffusionPipeShard.Read(TensorBytes.FromMemory(bytes, "case.bin"), "case.bin", Sdxl));

    static bool ReadParquet(byte[] bytes) => ReadShard(ParquetShard.Read(new MemoryStream(bytes), "case.parquet", Sdxl));

    /// <summary>A shard is taken when a latent of it is.</summary>
    static bool ReadShard(IEnumerable<ShardItem> items)
    {
        int latents = 0;
        Refuses(() => latents = items.Count(static item => item.Latent is not null));
        return latents > 0;
    }

    static byte[] Tar()
    {
        using MemoryStream stream = new();
        using (TarWriter tar = new(stream, leaveOpen: true))
        {
            foreach (string name in (string[])["0.npy", "0.txt", "1.latent.npy"])
            {
                tar.WriteEntry(new PaxTarEntry(TarEntryType.RegularFile, name) { ModificationTime = DateTimeOffset.UnixEpoch, DataStream = new MemoryStream(Npy()) });
            }
        }

        return stream.ToArray();
    }

    /// <summary>Two samples of a caption of one letter and a latent.</summary>
    static byte[] Mds()
    {
        byte[] sample = [.. BitConverter.GetBytes(1), (byte)'x', .. new byte[512]];
        int[] numbers = [2, 16, 16 + sample.Length, 16 + (2 * sample.Length)];
        return [.. numbers.SelectMany(BitConverter.GetBytes), .. sample, .. sample];
    }

    static byte[] MdsIndex() => Encoding.UTF8.GetBytes($$$"""
        {"shards": [{"column_names": ["caption", "x0"], "column_encodings": ["str", "ndarray:float16:4,8,8"], "column_sizes": [null, 512], "raw_data": {"basename": "{{{MdsName}}}"}}]}
        """);

    static byte[] Pipe()
    {
        byte[] item = TensorFileWriters.Torch(TensorFileWriters.TensorPickle(256, 0, [4, 8, 8], [64, 8, 1]), new byte[1024]);
        return [.. item, .. item];
    }

    /// <summary>Files with two latents: bytes, a flat list, nested lists.</summary>
    static IReadOnlyList<byte[]> Parquet()
    {
        DataField<byte[]> bytes = new("latent");
        DataField<float> flat = new("element"), deep = new("element");
        return
        [
            Parquet(bytes, group => group.WriteAsync(bytes, (byte[][])[new byte[512], Npy()])),
            Parquet(new ListField("latents", flat), group => Floats(group, flat, static i => i % 256 == 0 ? 0 : 1), CompressionMethod.Zstd),
            Parquet(new ListField("latents", new ListField("element", new ListField("element", deep))), group =>
                Floats(group, deep, static i => i % 256 == 0 ? 0 : i % 64 == 0 ? 1 : i % 16 == 0 ? 2 : 3)),
        ];
    }

    static byte[] Parquet(Field column, Func<ParquetRowGroupWriter, Task> write, CompressionMethod compression = CompressionMethod.Snappy)
    {
        using MemoryStream stream = new();
        Write().GetAwaiter().GetResult();
        return stream.ToArray();

        async Task Write()
        {
            await using ParquetWriter writer = await ParquetWriter.CreateAsync(new ParquetSchema(column), stream, new ParquetOptions { CompressionMethod = compression });
            using ParquetRowGroupWriter group = writer.CreateRowGroup();
            await write(group);
        }
    }

    static Task Floats(ParquetRowGroupWriter group, DataField field, Func<int, int> level) => group.WriteAllPartsAsync<float>(
        field,
        Enumerable.Range(0, 512).Select(static i => (float)Math.Sin(i)).ToArray(),
        Enumerable.Repeat(field.MaxDefinitionLevel, 512).ToArray(),
        Enumerable.Range(0, 512).Select(level).ToArray(),
        CancellationToken.None);

    static byte[] Npy() => TensorFileWriters.Npy("<f2", false, "(4, 8, 8)", new byte[512]);
}
