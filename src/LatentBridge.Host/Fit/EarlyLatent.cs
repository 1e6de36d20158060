namespace LatentBridge.Host.Fit;

/// <summary>Makes a picture's latent look like a sampler's estimate in its early steps: blurred, noised and nearer to zero.</summary>
/// <remarks>A decoder that learned from finished latents alone is as sharp as another on those and several dB worse on early ones.</remarks>
/// <param name="random">What it follows from.</param>
sealed class EarlyLatent(Random random)
{
    const int LargestRadius = 4;
    const float MostNoise = 0.3f;
    const float SmallestScale = 0.6f;

    /// <summary>Changes planes of so many rows and columns.</summary>
    internal void Apply(float[] planes, int height, int width)
    {
        (int radius, float noise, float scale) = (random.Next(LargestRadius + 1), MostNoise * random.NextSingle(), SmallestScale + ((1 - SmallestScale) * random.NextSingle()));
        float[] line = new float[Math.Max(height, width)];
        for (int plane = 0; plane < planes.Length; plane += height * width)
        {
            for (int pass = 0; pass < 2; pass++)
            {
                for (int y = 0; y < height; y++)
                {
                    Blur(planes, plane + (y * width), 1, width, radius, line);
                }

                for (int x = 0; x < width; x++)
                {
                    Blur(planes, plane + x, width, height, radius, line);
                }
            }
        }

        for (int i = 0; i < planes.Length; i++)
        {
            // The sum of four uniform numbers: near enough to a normal one of deviation 1.
            float chance = (random.NextSingle() + random.NextSingle() + random.NextSingle() + random.NextSingle() - 2) * 1.732f;
            planes[i] = (float)(Half)(scale * (planes[i] + (noise * chance)));
        }
    }

    /// <summary>The mean of each value and its neighbours up to <paramref name="radius"/> away; fewer at the ends.</summary>
    static void Blur(float[] values, int first, int stride, int count, int radius, float[] line)
    {
        for (int i = 0; i < count; i++)
        {
            (int from, int to) = (Math.Max(0, i - radius), Math.Min(count - 1, i + radius));
            float sum = 0;
            for (int j = from; j <= to; j++)
            {
                sum += values[first + (j * stride)];
            }

            line[i] = sum / (to - from + 1);
        }

        for (int i = 0; i < count; i++)
        {
            values[first + (i * stride)] = line[i];
        }
    }
}
