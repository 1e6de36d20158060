using System.CommandLine;
using System.Diagnostics;
using System.Globalization;
using LatentBridge.Previews;

namespace LatentBridge.Host.Commands;

/// <content><c>--animate</c> and <c>--frame all</c>.</content>
sealed partial class DecodeCommand
{
    /// <summary>All pictures of a video: as one animation, or as a file each.</summary>
    IEnumerable<DecodedPicture> DecodeClip(ParseResult parsed, DecodeWork work, PreviewRenderer renderer, string file, string folder, LatentInput input, PreviewOptions options)
    {
        PreviewOptions rgb = options with { Batch = BatchChoice.Item, Item = parsed.GetValue(_item) ?? 0, Encoding = PreviewEncoding.Rgb24 };
        renderer.Stage(input.View, rgb with { Frame = FrameChoice.First });
        if (work.Decoder is null)
        {
            Load(parsed, renderer, work);
        }

        var clip = new ClipReader(renderer, work.Decoder!, rgb);
        ClipWriter writer = _clip.Writer(parsed, clip.RateOf(_clip.Rate(parsed, input.Format)));
        string stem = Path.Combine(folder, Path.GetFileNameWithoutExtension(file));
        long start = Stopwatch.GetTimestamp();
        double decoding = 0;
        foreach ((int index, byte[] pixels, int width, int height) in clip.Read(() => input.View, input.Shape.Frames, options.Threads, CancellationToken.None))
        {
            decoding += Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            start = Stopwatch.GetTimestamp();
            if (_clip.IsAsked(parsed))
            {
                writer.Add(pixels, width, height);
            }
            else
            {
                byte[] png = ClipWriter.Png(pixels, width, height);
                string path = string.Create(CultureInfo.InvariantCulture, $"{stem}.{index:0000}.{work.Description.Id.Replace(':', '-')}.png");
                File.WriteAllBytes(_written.Add(path, file), png);
                yield return new(file, path, input, work.Description, Result(png.Length, width, height));
                decoding = 0;
            }

            start = Stopwatch.GetTimestamp();
        }

        if (_clip.IsAsked(parsed))
        {
            string path = Path.Combine(folder, parsed.GetValue(_clip.File)!);
            int bytes = writer.Write(_written.Add(path, file));
            yield return new(file, path, input, work.Description, Result(bytes, writer.Width, writer.Height)) { Pictures = writer.Count };
        }

        PreviewResult Result(int bytes, int width, int height) =>
            new(bytes, width, height, PreviewEncoding.Png, decoding, Stopwatch.GetElapsedTime(start).TotalMilliseconds, renderer.NonFiniteCount, Fits: true);
    }
}
