namespace LatentBridge.Imaging.Quality;

/// <summary>A colour in CIELAB, D65.</summary>
/// <param name="L">Lightness, 0 to 100.</param>
/// <param name="A">Green to red.</param>
/// <param name="B">Blue to yellow.</param>
readonly record struct LabColour(double L, double A, double B)
{
    static readonly double[] Linear = [.. Enumerable.Range(0, 256).Select(value => Linearise(value / 255.0))];

    /// <summary>The colour of an sRGB pixel.</summary>
    public static LabColour FromSrgb(byte red, byte green, byte blue)
    {
        (double r, double g, double b) = (Linear[red], Linear[green], Linear[blue]);

        // IEC 61966-2-1's matrix; each row divided by its sum is the D65 white.
        double x = Root((0.4124 * r + 0.3576 * g + 0.1805 * b) / (0.4124 + 0.3576 + 0.1805));
        double y = Root((0.2126 * r + 0.7152 * g + 0.0722 * b) / (0.2126 + 0.7152 + 0.0722));
        double z = Root((0.0193 * r + 0.1192 * g + 0.9505 * b) / (0.0193 + 0.1192 + 0.9505));
        return new(116 * y - 16, 500 * (x - y), 200 * (y - z));
    }

    static double Linearise(double value) => value <= 0.04045 ? value / 12.92 : Math.Pow((value + 0.055) / 1.055, 2.4);

    /// <summary>The cube root, and below (6/29)³ the straight line that continues it.</summary>
    static double Root(double t) => t > 216.0 / 24389 ? Math.Cbrt(t) : (24389.0 / 27 * t + 16) / 116;
}
