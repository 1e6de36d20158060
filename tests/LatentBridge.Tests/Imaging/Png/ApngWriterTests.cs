using System.Buffers.Binary;
using LatentBridge.Imaging.Png;

namespace LatentBridge.Tests.Imaging.Png;

public class ApngWriterTests
{
    static byte[] Frame(int width, int height, int channels, int seed)
    {
        byte[] pixels = PngSamples.Make("soft noise", width, height, channels, seed);
        byte[] file = new byte[PngEncoder.MaximumLength(width, height, channels)];
        return file[..new PngEncoder().Encode(pixels, width, height, channels, file)];
    }

    [Fact]
    public void Chunks_stand_in_order_and_are_numbered()
    {
        byte[] file = ApngWriter.Write([new(Frame(8, 5, 3, 1), 40), new(Frame(8, 5, 3, 2), 100_000), new(Frame(8, 5, 3, 3), 0)], plays: 2);
        List<string> names = [];
        List<int> numbers = [];
        List<(int, int)> delays = [];
        var chunks = new PngChunks(file);
        while (chunks.Next())
        {
            names.Add(chunks.Name);
            if (chunks.Name is "fcTL" or "fdAT")
            {
                numbers.Add(BinaryPrimitives.ReadInt32BigEndian(chunks.Content));
            }

            if (chunks.Name is "fcTL")
            {
                Assert.Equal((8, 5), (BinaryPrimitives.ReadInt32BigEndian(chunks.Content[4..]), BinaryPrimitives.ReadInt32BigEndian(chunks.Content[8..])));
                delays.Add((BinaryPrimitives.ReadUInt16BigEndian(chunks.Content[20..]), BinaryPrimitives.ReadUInt16BigEndian(chunks.Content[22..])));
            }

            if (chunks.Name is "acTL")
            {
                Assert.Equal("0000000300000002", Convert.ToHexString(chunks.Content));
            }
        }

        Assert.Equal(["IHDR", "acTL", "fcTL", "IDAT", "fcTL", "fdAT", "fcTL", "fdAT", "IEND"], names);
        Assert.Equal([0, 1, 2, 3, 4], numbers);
        Assert.Equal([(40, 1000), (100, 1), (0, 1000)], delays);
    }

    [Fact]
    public void A_reader_of_stills_sees_the_first_frame()
    {
        byte[] file = ApngWriter.Write([new(Frame(8, 5, 1, 1), 40), new(Frame(8, 5, 1, 2), 40)]);
        Assert.Equal(PngSamples.Make("soft noise", 8, 5, 1, 1), PngReader.Read(file).Pixels);
    }

    [Fact]
    public void Frames_that_differ_in_size_or_kind_are_refused()
    {
        Assert.Contains("Frame 1 of the animation is 9x5 Rgb, the first 8x5 Rgb", Refused(Frame(9, 5, 3, 1)), StringComparison.Ordinal);
        Assert.Contains("Grey", Refused(Frame(8, 5, 1, 1)), StringComparison.Ordinal);
        Assert.Contains("Not a PNG", Refused([1, 2, 3]), StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => ApngWriter.Write([]));
        Assert.Throws<ArgumentException>(() => ApngWriter.Write([new(Frame(8, 5, 3, 1), -1)]));

        static string Refused(byte[] second)
        {
            return Assert.Throws<LatentBridgeException>(() => ApngWriter.Write([new(Frame(8, 5, 3, 1), 1), new(second, 1)])).Message;
        }
    }
}
