namespace LatentBridge.Tests.Imaging.Png;

/// <summary>Pictures for the PNG tests, made by a seed.</summary>
static class PngSamples
{
    public static readonly string[] Kinds = ["noise", "flat", "zero", "gradient", "soft noise", "sparse", "stripes", "steps"];

    /// <summary>Pixels of one of <see cref="Kinds"/>.</summary>
    public static byte[] Make(string kind, int width, int height, int channels, int seed)
    {
        var random = new Random(seed);
        var pixels = new byte[width * height * channels];
        for (int i = 0; i < pixels.Length; i++)
        {
            int x = i / channels % width, y = i / channels / width;
            pixels[i] = (byte)(kind switch
            {
                "noise" => random.Next(256),
                "flat" => seed,
                "zero" => 0,
                "gradient" => (x * 3) + (y * 2) + (i % channels * 40),
                "soft noise" => 128 + random.Next(7) - random.Next(7),
                "sparse" => random.Next(50) == 0 ? random.Next(256) : 0,
                "stripes" => x / 20 % 2 * 255,
                _ => y / 9 * 31,
            });
        }

        return pixels;
    }
}
