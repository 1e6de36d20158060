using LatentBridge.Latents;

namespace LatentBridge.Host.Commands;

/// <summary>The values of one channel of a latent, all items and frames together; NaN and infinities are counted and left out of the rest.</summary>
readonly record struct ChannelStatistics(int Channel, float Minimum, float Maximum, double Mean, double StandardDeviation, long NonFiniteCount)
{
    /// <summary>The statistics of each channel, as the values lie in the file.</summary>
    internal static ChannelStatistics[] Of(ReadOnlySpan<float> values, LatentShape shape)
    {
        int length = shape.Frames * shape.PlaneLength;
        var channels = new ChannelStatistics[shape.Channels];
        for (int channel = 0; channel < shape.Channels; channel++)
        {
            channels[channel] = Measure(values, shape, channel, length);
        }

        return channels;
    }

    static ChannelStatistics Measure(ReadOnlySpan<float> values, LatentShape shape, int channel, int length)
    {
        float minimum = float.PositiveInfinity, maximum = float.NegativeInfinity;
        double sum = 0, squares = 0;
        long count = 0;
        for (int item = 0; item < shape.Batch; item++)
        {
            foreach (float value in values.Slice(((item * shape.Channels) + channel) * length, length))
            {
                if (float.IsFinite(value))
                {
                    minimum = Math.Min(minimum, value);
                    maximum = Math.Max(maximum, value);
                    sum += value;
                    squares += (double)value * value;
                    count++;
                }
            }
        }

        long bad = ((long)shape.Batch * length) - count;
        if (count == 0)
        {
            return new(channel, float.NaN, float.NaN, double.NaN, double.NaN, bad);
        }

        double mean = sum / count;
        return new(channel, minimum, maximum, mean, Math.Sqrt(Math.Max(0, (squares / count) - (mean * mean))), bad);
    }
}
