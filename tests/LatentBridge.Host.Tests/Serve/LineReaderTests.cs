using System.Text;

namespace LatentBridge.Host.Tests.Serve;

public class LineReaderTests
{
    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(100_000)]
    public void Lines_come_whole_however_the_bytes_arrive(int chunk)
    {
        string[] lines = ["a", "", "bb", new string('c', 10_000), "é", new string('d', 1 << 20), "e"];
        var reader = new LineReader(new Chunked(Encoding.UTF8.GetBytes(string.Join('\n', lines) + "\ncut off"), chunk));
        foreach (string line in lines)
        {
            Assert.True(reader.Next(out ReadOnlySpan<byte> found));
            Assert.False(reader.IsTooLong);
            Assert.Equal(line, Encoding.UTF8.GetString(found));
        }

        Assert.False(reader.Next(out _));
    }

    [Theory]
    [InlineData(999)]
    [InlineData(1 << 22)]
    public void A_line_too_long_is_skipped_and_the_next_one_read(int chunk)
    {
        byte[] bytes = Encoding.UTF8.GetBytes("a\n" + new string('x', (1 << 20) + 1) + "\nb\n" + new string('y', 3 << 20) + "\nc\n");
        var reader = new LineReader(new Chunked(bytes, chunk));
        foreach (string? expected in (string?[])["a", null, "b", null, "c"])
        {
            Assert.True(reader.Next(out ReadOnlySpan<byte> line));
            Assert.Equal(expected is null, reader.IsTooLong);
            Assert.Equal(expected ?? "", Encoding.UTF8.GetString(line));
        }
    }

    sealed class Chunked(byte[] bytes, int chunk) : MemoryStream(bytes)
    {
        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, chunk));
    }
}
