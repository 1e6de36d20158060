using System.Buffers.Binary;
using LatentBridge.Imaging.Png;

namespace LatentBridge.Tests.Imaging.Png;

public sealed class PngOrientationTests
{
    // What EXIF's eight orientations make of abc / def.
    [Theory]
    [InlineData(0, 3, "abcdef")]
    [InlineData(1, 3, "abcdef")]
    [InlineData(2, 3, "cbafed")]
    [InlineData(3, 3, "fedcba")]
    [InlineData(4, 3, "defabc")]
    [InlineData(5, 2, "adbecf")]
    [InlineData(6, 2, "daebfc")]
    [InlineData(7, 2, "fcebda")]
    [InlineData(8, 2, "cfbead")]
    [InlineData(9, 3, "abcdef")]
    public void A_picture_is_turned_as_exif_says(int orientation, int width, string pixels)
    {
        PngImage turned = PngOrientation.Turn(new(3, 2, 1, "abcdef"u8.ToArray()), orientation);
        Assert.Equal((width, 6 / width, pixels), (turned.Width, turned.Height, System.Text.Encoding.ASCII.GetString(turned.Pixels)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void The_orientation_is_read_in_both_byte_orders(bool big)
    {
        byte[] exif = new byte[26];
        (big ? "MM\0*"u8 : "II*\0"u8).CopyTo(exif);
        Write32(4, 8);
        Write16(8, 1);
        Write16(10, 0x0112);
        Write16(12, 3);
        Write32(14, 1);
        Write16(18, 6);
        Assert.Equal(6, PngOrientation.Of(WithChunk(exif)));
        Assert.Equal(1, PngOrientation.Of(WithChunk(exif.AsSpan(0, 12).ToArray())));
        Assert.Equal(1, PngOrientation.Of(WithChunk([])));

        void Write16(int at, ushort value)
        {
            if (big)
            {
                BinaryPrimitives.WriteUInt16BigEndian(exif.AsSpan(at), value);
            }
            else
            {
                BinaryPrimitives.WriteUInt16LittleEndian(exif.AsSpan(at), value);
            }
        }

        void Write32(int at, uint value)
        {
            if (big)
            {
                BinaryPrimitives.WriteUInt32BigEndian(exif.AsSpan(at), value);
            }
            else
            {
                BinaryPrimitives.WriteUInt32LittleEndian(exif.AsSpan(at), value);
            }
        }
    }

    static byte[] WithChunk(byte[] content)
    {
        byte[] chunk = new byte[12 + content.Length];
        content.CopyTo(chunk, 8);
        BinaryPrimitives.WriteInt32BigEndian(chunk, content.Length);
        PngChunks.Close(chunk, "eXIf"u8, content.Length);
        return [.. PngChunks.Signature, .. chunk];
    }
}
