using System.Buffers.Binary;
using System.Text;
using LatentBridge.Imaging.Png;
using LatentBridge.Latents;

namespace LatentBridge.Imaging;

/// <summary>A latent as an 8-bit grey PNG, its channels beside each other as tiles, and back.</summary>
/// <remarks>
/// TAESD's scheme (github.com/madebyollin/taesd, README): byte = clamp(z / 6 + 1/2, 0, 1) x 255, z = (byte / 255 - 1/2) x 6; values beyond ±3
/// are cut, others are off by at most 3/255. With fewer bits the bytes are 2^bits levels from 0 to 255, which read the same way. The tiles lie as <see cref="ImageGrid"/> lays them. A <c>tEXt</c> chunk
/// <c>LatentBridge</c> says <c>FORMAT CHANNELS</c>, so that the picture is enough to decode it.
/// </remarks>
static class LatentPicture
{
    const string Keyword = "LatentBridge";

    /// <summary>Writes the planes of one latent.</summary>
    /// <param name="latent">The sampler's scale.</param>
    /// <param name="formatId">The latent format's id.</param>
    /// <param name="bits">1 to 8: how many levels a value may have, 2 to that power. Fewer make shorter files.</param>
    /// <returns>The PNG file.</returns>
    public static byte[] Write(in LatentPlanes latent, string formatId, int bits = 8)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(bits, 1);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(bits, 8);
        int highest = (1 << bits) - 1;
        (int columns, int rows) = ImageGrid.Layout(latent.Channels);
        int width = columns * latent.Width, height = rows * latent.Height;
        byte[] grey = new byte[width * height];
        for (int channel = 0; channel < latent.Channels; channel++)
        {
            ReadOnlySpan<float> plane = latent.Plane(channel);
            int corner = (channel / columns * latent.Height * width) + (channel % columns * latent.Width);
            for (int i = 0; i < plane.Length; i++)
            {
                grey[corner + (i / latent.Width * width) + (i % latent.Width)] = (byte)(((int)((Math.Clamp((plane[i] / 6) + 0.5f, 0, 1) * highest) + 0.5f) * 255f / highest) + 0.5f);
            }
        }

        byte[] buffer = new byte[PngEncoder.MaximumLength(width, height, 1)];
        PngEncoder encoder = new();
        int length = encoder.Encode(grey, width, height, 1, buffer);
        return InsertText(buffer.AsSpan(0, length), $"{Keyword}\0{formatId} {latent.Channels}");
    }

    /// <summary>Whether a file begins as PNG files do.</summary>
    public static bool IsPng(ReadOnlySpan<byte> file) => file.StartsWith(PngChunks.Signature);

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <returns>The format's id, the axes [1, C, H, W] and the values in the sampler's scale.</returns>
    /// <exception cref="LatentBridgeException">It is not such a picture; the message says what is wrong.</exception>
    public static (string FormatId, long[] Axes, float[] Values) Read(ReadOnlySpan<byte> png)
    {
        (string formatId, int channels) = ReadText(png);
        PngImage image = PngReader.Read(png);
        (int columns, int rows) = ImageGrid.Layout(channels);
        if (image.Channels != 1 || image.Width % columns != 0 || image.Height % rows != 0)
        {
            throw new LatentBridgeException(
                $"A latent of {channels} channels is a grey picture of {columns} x {rows} tiles; this one has {image.Width} x {image.Height} pixels and {image.Channels} colours. It was changed after it was written: encode it again.");
        }

        (int width, int height) = (image.Width / columns, image.Height / rows);
        float[] values = new float[channels * width * height];
        for (int i = 0; i < values.Length; i++)
        {
            (int channel, int y, int x) = (i / (width * height), i / width % height, i % width);
            int row = (channel / columns * height) + y, column = (channel % columns * width) + x;
            values[i] = ((image.Pixels[(row * image.Width) + column] / 255f) - 0.5f) * 6;
        }

        return (formatId, [1, channels, height, width], values);
    }

    static (string FormatId, int Channels) ReadText(ReadOnlySpan<byte> png)
    {
        PngChunks chunks = new(png);
        while (chunks.Next())
        {
            if (chunks.Type.SequenceEqual("tEXt"u8) && Encoding.Latin1.GetString(chunks.Content).Split('\0', ' ') is [Keyword, var id, var count]
                && int.TryParse(count, out int channels) && channels is > 0 and <= 4096)
            {
                return (id, channels);
            }
        }

        throw new LatentBridgeException($"This PNG is a picture, not a latent: it has no text \"{Keyword}\". `latentbridge encode PICTURE --as png` makes one of it.");
    }

    // Behind the header: signature, then the IHDR chunk of 12 + 13 bytes.
    static byte[] InsertText(ReadOnlySpan<byte> png, string text)
    {
        const int BehindHeader = PngChunks.SignatureLength + 12 + 13;
        byte[] chunk = new byte[12 + text.Length];
        BinaryPrimitives.WriteInt32BigEndian(chunk, text.Length);
        Encoding.Latin1.GetBytes("tEXt" + text, chunk.AsSpan(4));
        BinaryPrimitives.WriteUInt32BigEndian(chunk.AsSpan(8 + text.Length), Crc32.Append(0, chunk.AsSpan(4, 4 + text.Length)));
        return [.. png[..BehindHeader], .. chunk, .. png[BehindHeader..]];
    }
}
