using LatentBridge.Files;
using LatentBridge.Formats;
using LatentBridge.Latents;
using LatentBridge.Networks;
using LatentBridge.Previews;
using LatentBridge.Simd;
using LatentBridge.Weights;

namespace LatentBridge.Host.Bench;

/// <summary>How far a video's last picture is from itself when it is made of only some of the frames before it.</summary>
static class TruncatedPasts
{
    const int Most = 4;

    /// <summary>For each number of frames before, PSNR in dB against the picture that is made of all frames.</summary>
    internal static IEnumerable<(int Before, double Decibels)> Measure(FoundWeights found, LoadedLatent latent)
    {
        using NetworkTensors tensors = found.Open();
        Network network = found.Layout.Network!;
        using FrameEngine engine = new(network, tensors.Take, Kernel.Width);
        (float[] frames, int count, int height, int width) = Frames(latent, LatentFormats.Get("Wan21"));
        byte[] whole = Picture(engine, network, frames, count, height, width);
        for (int before = 0; before <= Most; before++)
        {
            byte[] cut = Picture(engine, network, frames[^((before + 1) * frames.Length / count)..], before + 1, height, width);
            double error = whole.Zip(cut, (a, b) => (double)(a - b) * (a - b)).Average();
            yield return (before, 10 * Math.Log10(255 * 255 / Math.Max(error, 1e-9)));
        }
    }

    static (float[] Frames, int Count, int Height, int Width) Frames(LoadedLatent latent, LatentFormat format)
    {
        using PreviewRenderer renderer = new(format);
        int count = latent.View.Shape.Frames;
        List<float> values = [];
        (int height, int width) = (0, 0);
        for (int frame = 0; frame < count; frame++)
        {
            renderer.Stage(latent.View, new() { Frame = FrameChoice.At(frame) });
            LatentPlanes planes = renderer.Planes(0);
            values.AddRange(planes.Values);
            (height, width) = (planes.Height, planes.Width);
        }

        return ([.. values], count, height, width);
    }

    static unsafe byte[] Picture(FrameEngine engine, Network network, float[] frames, int count, int height, int width)
    {
        byte[] picture = new byte[3 * network.Enlargement * network.Enlargement * height * width];
        fixed (float* planes = frames)
        fixed (byte* pixels = picture)
        {
            engine.Run(height, width, planes, FrameMemory.None, [(count * network.FramesPerFrame) - 1], pixels, isBytes: true, 1, CancellationToken.None);
        }

        return picture;
    }
}
