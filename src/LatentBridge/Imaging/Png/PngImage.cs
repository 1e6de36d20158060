namespace LatentBridge.Imaging.Png;

/// <summary>The pixels of a PNG file: 8 bits a channel, rows from top to bottom without padding, channels interleaved.</summary>
/// <param name="Width">In pixels.</param>
/// <param name="Height">In pixels.</param>
/// <param name="Channels">1 grey, 3 RGB, 4 RGB and alpha (not premultiplied).</param>
/// <param name="Pixels">Width x Height x Channels bytes.</param>
sealed record PngImage(int Width, int Height, int Channels, byte[] Pixels)
{
    /// <summary>The picture as RGB: grey is repeated, alpha is left out. The pixels themselves where they are RGB already.</summary>
    public byte[] ToRgb()
    {
        if (Channels == 3)
        {
            return Pixels;
        }

        var rgb = new byte[checked(Width * Height * 3)];
        for (int from = 0, to = 0; to < rgb.Length; from += Channels, to += 3)
        {
            rgb[to] = Pixels[from];
            rgb[to + 1] = Pixels[Channels == 1 ? from : from + 1];
            rgb[to + 2] = Pixels[Channels == 1 ? from : from + 2];
        }

        return rgb;
    }
}
