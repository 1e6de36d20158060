using LatentBridge.Latents;

namespace LatentBridge.Imaging;

/// <summary>Shows each channel of a latent as a panel in <see cref="Viridis"/> colours, its smallest value violet, its largest yellow.</summary>
static class ChannelPanels
{
    /// <summary>Dark pixels between panels.</summary>
    public const int Gap = 2;

    /// <summary>Width and height in pixels of the panels of so many channels, one pixel per cell, near a square.</summary>
    public static (int Width, int Height) Size(int channels, int height, int width)
    {
        (int columns, int rows) = ImageGrid.Layout(channels);
        return ((columns * (width + Gap)) - Gap, (rows * (height + Gap)) - Gap);
    }

    /// <summary>Draws the panels from the top left, row by row, as RGB24.</summary>
    /// <param name="latent">The planes, all values finite.</param>
    /// <param name="destination">Exactly 3 x width x height bytes of <see cref="Size"/>.</param>
    /// <exception cref="ArgumentException">The destination has another length.</exception>
    public static void Draw(in LatentPlanes latent, Span<byte> destination)
    {
        (int width, int height) = Size(latent.Channels, latent.Height, latent.Width);
        if (destination.Length != 3L * width * height)
        {
            throw new ArgumentException($"The destination has {destination.Length} bytes; the panels are {width} x {height} pixels, {3L * width * height} bytes.", nameof(destination));
        }

        destination.Clear();
        (int columns, _) = ImageGrid.Layout(latent.Channels);
        for (int channel = 0; channel < latent.Channels; channel++)
        {
            ReadOnlySpan<float> plane = latent.Plane(channel);
            (float least, float scale) = Range(plane);
            int left = channel % columns * (latent.Width + Gap);
            int top = channel / columns * (latent.Height + Gap);
            for (int cell = 0; cell < plane.Length; cell++)
            {
                byte level = (byte)(((plane[cell] - least) * scale) + 0.5f);
                int pixel = ((top + (cell / latent.Width)) * width) + left + (cell % latent.Width);
                Viridis.Colour(level).CopyTo(destination[(3 * pixel)..]);
            }
        }
    }

    static (float Least, float Scale) Range(ReadOnlySpan<float> plane)
    {
        float least = plane[0];
        float most = plane[0];
        foreach (float value in plane)
        {
            least = Math.Min(least, value);
            most = Math.Max(most, value);
        }

        return (least, most > least ? 255 / (most - least) : 0);
    }
}
