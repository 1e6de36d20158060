namespace LatentBridge.Imaging;

/// <summary>The viridis palette: 256 colours from dark violet over green to yellow, evenly perceived, legible to the colour-blind.</summary>
/// <remarks>Ten evenly spaced colours of the original (Smith and van der Walt, CC0), joined by Catmull-Rom curves.</remarks>
static class Viridis
{
    static readonly byte[] Palette = Interpolate(
        [0x440154, 0x482878, 0x3E4A89, 0x31688E, 0x26828E, 0x1F9E89, 0x35B779, 0x6DCD59, 0xB4DE2C, 0xFDE725]);

    /// <summary>Red, green and blue of a level from 0 (violet) to 255 (yellow).</summary>
    public static ReadOnlySpan<byte> Colour(byte level) => Palette.AsSpan(3 * level, 3);

    static byte[] Interpolate(int[] stops)
    {
        var palette = new byte[3 * 256];
        for (int level = 0; level < 256; level++)
        {
            double at = level * (stops.Length - 1) / 255.0;
            int left = Math.Min((int)at, stops.Length - 2);
            double t = at - left;
            for (int r = 0; r < 3; r++)
            {
                double Stop(int index) => (stops[Math.Clamp(index, 0, stops.Length - 1)] >> (16 - (8 * r))) & 255;
                double slopeLeft = (Stop(left + 1) - Stop(left - 1)) / 2;
                double slopeRight = (Stop(left + 2) - Stop(left)) / 2;
                double straight = Stop(left) + (t * (Stop(left + 1) - Stop(left)));
                double bent = t * (1 - t) * (((1 - t) * (slopeLeft - Stop(left + 1) + Stop(left))) - (t * (slopeRight - Stop(left + 1) + Stop(left))));
                palette[(3 * level) + r] = (byte)Math.Clamp(straight + bent + 0.5, 0, 255);
            }
        }

        return palette;
    }
}
