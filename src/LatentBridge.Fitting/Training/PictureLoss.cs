namespace LatentBridge.Fitting.Training;

/// <summary>How far a network's picture is from the right one, 0..1: Charbonnier over its pixels, and over the mean of each cell.</summary>
/// <remarks>sqrt(d² + e²) grows like |d|, so edges stay sharp, and is smooth at 0. The cells' own part keeps colours right where pixels are hard to guess.</remarks>
static class PictureLoss
{
    const float Epsilon = 0.01f;
    const float ShareOfCells = 0.5f;

    /// <summary>The loss, as a mean over pixels and colours, and its derivatives by the network's last layer.</summary>
    /// <param name="output">The last layer, [colour][dy][dx] in each pixel, of a range of -0.5..0.5.</param>
    /// <param name="targets">The right picture in the same order without what fills up, crop by crop, row by row.</param>
    /// <param name="square">Pixels per cell.</param>
    /// <param name="derivatives">Takes them; zero between the crops.</param>
    public static unsafe double Compute(PaddedBatch output, ReadOnlySpan<float> targets, int square, PaddedBatch derivatives)
    {
        int channels = 3 * square;
        float scale = 1f / targets.Length;
        double loss = 0;
        derivatives.Values.Clear();
        for (int crop = 0; crop < output.Crops; crop++)
        {
            for (int y = 0; y < output.Side; y++)
            {
                float* from = output.Row(crop, y), to = derivatives.Row(crop, y);
                for (int x = 0; x < output.Side; x++, from += output.Channels, to += derivatives.Channels, targets = targets[channels..])
                {
                    for (int colour = 0; colour < 3; colour++)
                    {
                        loss += Colour(from + (colour * square), targets.Slice(colour * square, square), to + (colour * square), scale);
                    }
                }
            }
        }

        return loss * scale;
    }

    static unsafe double Colour(float* output, ReadOnlySpan<float> target, float* derivative, float scale)
    {
        float sum = 0, loss = 0;
        for (int i = 0; i < target.Length; i++)
        {
            float difference = output[i] - target[i];
            float root = MathF.Sqrt((difference * difference) + (Epsilon * Epsilon));
            sum += difference;
            loss += root;
            derivative[i] = difference / root * scale;
        }

        float mean = sum / target.Length;
        float ofCell = MathF.Sqrt((mean * mean) + (Epsilon * Epsilon));
        float part = ShareOfCells * mean / ofCell * scale; // of a sum over the cell's pixels: each has 1/n of the mean, and the cell counts n times
        for (int i = 0; i < target.Length; i++)
        {
            derivative[i] += part;
        }

        return loss + (ShareOfCells * ofCell * target.Length);
    }
}
