using LatentBridge.Decoders;
using LatentBridge.Imaging.Scaling;
using LatentBridge.Latents;

namespace LatentBridge.Previews;

/// <summary>All pictures of a video, one after the other: those that a decoder with a memory makes, or one for each latent frame.</summary>
sealed class ClipReader(PreviewRenderer renderer, ILatentDecoder decoder, PreviewOptions options)
{
    readonly ImageScaler _scaler = new();
    byte[] _decoded = [];

    /// <summary>Pictures a second of what is read, where the model makes so many.</summary>
    /// <param name="rate">Of the finished video.</param>
    public double RateOf(double rate) => IsWhole ? rate : rate / Math.Max(1, renderer.Format.TemporalCompression);

    bool IsWhole => decoder is IClipDecoder { PicturesPerFrame: > 1 };

    /// <summary>The pictures as RGB24 with their index in the clip and size; each is the caller's.</summary>
    /// <param name="view">Makes the view of the latent.</param>
    /// <param name="frames">Its frames.</param>
    /// <param name="threads">Threads a decode may use.</param>
    /// <param name="cancellation">Stops within 20 ms.</param>
    public IEnumerable<(int Index, byte[] Rgb, int Width, int Height)> Read(Func<Latent> view, int frames, int threads, CancellationToken cancellation)
    {
        int index = 0;
        int made = IsWhole ? ((IClipDecoder)decoder).PicturesPerFrame : 1;
        HashSet<int> shown = [.. IsWhole ? ((IClipDecoder)decoder).ShownPictures(frames) : Enumerable.Range(0, frames)];
        for (int frame = 0; frame < frames; frame++)
        {
            renderer.Stage(view(), options with { Frame = FrameChoice.At(frame) });
            int length = Decode(frame == 0, made, threads, cancellation);
            for (int picture = 0; picture < made; picture++)
            {
                if (shown.Contains((frame * made) + picture))
                {
                    (byte[] rgb, int width, int height) = Scaled(_decoded.AsSpan(picture * length, length));
                    yield return (index++, rgb, width, height);
                }
            }
        }
    }

    int Decode(bool isFirst, int made, int threads, CancellationToken cancellation)
    {
        LatentPlanes planes = renderer.Planes(0);
        (int width, int height) = decoder.Description.OutputSize(planes.Height, planes.Width);
        int length = checked(3 * width * height);
        _decoded = _decoded.Length == made * length ? _decoded : new byte[made * length];
        if (IsWhole)
        {
            ((IClipDecoder)decoder).DecodeNext(planes, isFirst, _decoded, threads, cancellation);
        }
        else
        {
            decoder.Decode(planes, _decoded, threads, cancellation);
        }

        return length;
    }

    (byte[] Rgb, int Width, int Height) Scaled(ReadOnlySpan<byte> picture)
    {
        PreviewLayout layout = PreviewLayout.Of(decoder.Description, renderer.PlaneHeight, renderer.PlaneWidth, 1, options);
        byte[] rgb = new byte[3 * layout.TileWidth * layout.TileHeight];
        if (layout.IsScaled)
        {
            _scaler.Scale(picture, layout.DecodedWidth, layout.DecodedHeight, rgb, layout.TileWidth, layout.TileHeight, options.Scaling);
        }
        else
        {
            picture.CopyTo(rgb);
        }

        return (rgb, layout.TileWidth, layout.TileHeight);
    }
}
