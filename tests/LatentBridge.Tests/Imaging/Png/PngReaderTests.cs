using System.Buffers.Binary;
using System.IO.Compression;
using LatentBridge.Imaging.Png;

namespace LatentBridge.Tests.Imaging.Png;

public class PngReaderTests
{
    [Theory]
    [InlineData(0, 1, new byte[] { 0b1010_0000 }, new byte[] { 255, 0, 255 })]
    [InlineData(0, 2, new byte[] { 0b0001_1000 }, new byte[] { 0, 85, 170 })]
    [InlineData(0, 4, new byte[] { 0x0F, 0x80 }, new byte[] { 0, 255, 136 })]
    [InlineData(0, 8, new byte[] { 1, 2, 3 }, new byte[] { 1, 2, 3 })]
    [InlineData(0, 16, new byte[] { 0xFF, 0xFF, 0x80, 0x00, 0x00, 0x80 }, new byte[] { 255, 128, 0 })]
    [InlineData(4, 8, new byte[] { 9, 0, 8, 128, 7, 255 }, new byte[] { 9, 9, 9, 0, 8, 8, 8, 128, 7, 7, 7, 255 })]
    [InlineData(6, 8, new byte[] { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 }, new byte[] { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 })]
    public void Depths_and_colour_types(int color, int depth, byte[] row, byte[] expected)
    {
        byte[] file = Build(3, 1, depth, color, [0, .. row]);
        Assert.Equal(expected, PngReader.Read(file).Pixels);
    }

    [Fact]
    public void A_palette_with_transparency()
    {
        byte[] file = Build(3, 1, 2, 3, [0, 0b0001_1000], ("PLTE", [1, 2, 3, 4, 5, 6, 7, 8, 9]), ("tRNS", [0, 128]));
        PngImage image = PngReader.Read(file);
        Assert.Equal(4, image.Channels);
        Assert.Equal([1, 2, 3, 0, 4, 5, 6, 128, 7, 8, 9, 255], image.Pixels);
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8, 9], image.ToRgb());
    }

    [Fact]
    public void A_transparent_colour()
    {
        byte[] file = Build(2, 1, 8, 2, [0, 1, 2, 3, 4, 5, 6], ("tRNS", [0, 4, 0, 5, 0, 6]));
        Assert.Equal([1, 2, 3, 255, 4, 5, 6, 0], PngReader.Read(file).Pixels);
    }

    [Fact]
    public void An_interlaced_picture()
    {
        // 3x3: pass 1 has pixel 0,0; pass 4 the one at 2,0; pass 5 row 2 at 0 and 2; pass 6 column 1 of rows 0 and 2; pass 7 row 1.
        byte[] raw = [0, 1, 0, 3, 0, 7, 9, 0, 2, 0, 8, 0, 4, 5, 6];
        Assert.Equal([1, 2, 3, 4, 5, 6, 7, 8, 9], PngReader.Read(Build(3, 3, 8, 0, raw, interlace: 1)).Pixels);
    }

    [Fact]
    public void Every_filter_is_undone()
    {
        byte[] raw = [1, 10, 5, 5, 2, 1, 1, 1, 3, 1, 1, 1, 4, 1, 1, 1];
        Assert.Equal([10, 15, 20, 11, 16, 21, 6, 12, 17, 7, 13, 18], PngReader.Read(Build(3, 4, 8, 0, raw)).Pixels);
    }

    [Fact]
    public void A_picture_that_its_data_cannot_hold_is_refused_before_memory_is_taken()
    {
        byte[] file = Build(16384, 16384, 8, 6, [0, 1, 2, 3, 4]);
        long before = GC.GetAllocatedBytesForCurrentThread();
        var exception = Assert.Throws<LatentBridgeException>(() => PngReader.Read(file));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 100_000);
        Assert.Contains("16384x16384", exception.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0u, 1u)]
    [InlineData(1u, 0u)]
    [InlineData(0xFFFFFFFFu, 1u)]
    [InlineData(0x80000000u, 0x80000000u)]
    [InlineData(16385u, 16384u)]
    public void Sizes_out_of_range_are_named(uint width, uint height)
    {
        var exception = Assert.Throws<LatentBridgeException>(() => PngReader.Read(Build(width, height, 8, 2, [0])));
        Assert.Contains($"{width}x{height}", exception.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Damage_is_named()
    {
        byte[] good = Encode();
        Fails("Not a PNG", [1, 2, 3]);
        Fails("Not a PNG", []);
        Fails("truncated", good[..^1]);
        Fails("truncated", good[..^12]);
        Fails("truncated", good[..40]);
        byte[] flipped = [.. good];
        flipped[50] ^= 1;
        Fails("checksum", flipped);
        Fails("IHDR", [.. good[..8], .. good[33..]]);
        Fails("row 1 of 2", Build(3, 2, 8, 0, [0, 1, 2, 3]));
        Fails("filter 9", Build(3, 1, 8, 0, [9, 1, 2, 3]));
        Fails("palette", Build(3, 1, 8, 3, [0, 0, 0, 0]));
        Fails("colour 2 of a palette of 1", Build(3, 1, 8, 3, [0, 0, 2, 0], ("PLTE", [1, 2, 3])));
        Fails("depth 3", Build(3, 1, 3, 0, [0, 0]));
        Fails("critical chunk", Build(1, 1, 8, 0, [0, 0], ("CRIT", [])));
        Fails("compressed data", Build(1, 1, 8, 0, [0, 0], data: [0x78, 0x01, 0xFF, 0xFF, 0xFF, 0xFF]));

        static void Fails(string expected, byte[] file)
        {
            Assert.Contains(expected, Assert.Throws<LatentBridgeException>(() => PngReader.Read(file)).Message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Mutated_files_are_read_or_refused_but_nothing_else()
    {
        var random = new Random(20);
        byte[][] seeds =
        [
            Encode(),
            Build(3, 3, 8, 0, [0, 1, 0, 3, 0, 7, 9, 0, 2, 0, 8, 0, 4, 5, 6], interlace: 1),
            Build(3, 1, 2, 3, [0, 0b0001_1000], ("PLTE", [1, 2, 3, 4, 5, 6, 7, 8, 9]), ("tRNS", [0, 128])),
        ];
        int read = 0;
        for (int i = 0; i < 6000; i++)
        {
            byte[] file = [.. seeds[i % seeds.Length]];
            for (int k = random.Next(1, 4); k > 0; k--)
            {
                file[random.Next(8, file.Length)] = (byte)random.Next(256);
            }

            if (random.Next(4) == 0)
            {
                file = file[..random.Next(file.Length)];
            }

            MendChecksums(file);
            try
            {
                PngImage image = PngReader.Read(file);
                Assert.Equal(image.Width * image.Height * image.Channels, image.Pixels.Length);
                read++;
            }
            catch (LatentBridgeException)
            {
            }
        }

        Assert.InRange(read, 1, 5999);
    }

    static byte[] Encode()
    {
        byte[] pixels = PngSamples.Make("soft noise", 20, 20, 3, seed: 2);
        byte[] file = new byte[PngEncoder.MaximumLength(20, 20, 3)];
        return file[..new PngEncoder().Encode(pixels, 20, 20, 3, file)];
    }

    static byte[] Build(
        uint width,
        uint height,
        int depth,
        int color,
        byte[] raw,
        (string Type, byte[] Content)? first = null,
        (string Type, byte[] Content)? second = null,
        int interlace = 0,
        byte[]? data = null)
    {
        using var file = new MemoryStream();
        file.Write(PngChunks.Signature);
        byte[] header = new byte[13];
        BinaryPrimitives.WriteUInt32BigEndian(header, width);
        BinaryPrimitives.WriteUInt32BigEndian(header.AsSpan(4), height);
        header[8] = (byte)depth;
        header[9] = (byte)color;
        header[12] = (byte)interlace;
        Chunk(file, "IHDR", header);
        foreach ((string type, byte[] content) in new[] { first, second }.OfType<(string, byte[])>())
        {
            Chunk(file, type, content);
        }

        if (data is null)
        {
            using var compressed = new MemoryStream();
            using (var zlib = new ZLibStream(compressed, CompressionLevel.Fastest, leaveOpen: true))
            {
                zlib.Write(raw);
            }

            data = compressed.ToArray();
        }

        Chunk(file, "IDAT", data);
        Chunk(file, "IEND", []);
        return file.ToArray();
    }

    static void Chunk(MemoryStream file, string type, byte[] content)
    {
        byte[] chunk = new byte[12 + content.Length];
        content.CopyTo(chunk, 8);
        PngChunks.Close(chunk, System.Text.Encoding.Latin1.GetBytes(type), content.Length);
        file.Write(chunk);
    }

    /// <summary>Makes the checksums right as far as the lengths lead, so that what lies behind them is tried too.</summary>
    static void MendChecksums(byte[] file)
    {
        for (int at = 8; at + 12 <= file.Length;)
        {
            long length = BinaryPrimitives.ReadUInt32BigEndian(file.AsSpan(at));
            if (at + 12 + length > file.Length)
            {
                return;
            }

            PngChunks.Close(file.AsSpan(at), file.AsSpan(at + 4, 4), (int)length);
            at += 12 + (int)length;
        }
    }
}
