using LatentBridge.Decoders;
using LatentBridge.Imaging.Quality;

namespace LatentBridge.Fitting.Training;

/// <summary>Tells whether a picture is its latent's: a linear map fitted to a part of it must explain the rest, and no worse than for the picture mirrored or moved.</summary>
/// <remarks>
/// No knowledge of the latent space is needed: whatever a VAE does, each cell's colour is mostly a linear function of its channels. Of another picture such a map explains next to nothing, and of the
/// same picture turned or moved by some cells less than of itself.
/// </remarks>
static class PairCheck
{
    /// <summary>Cells of a side that are looked at, from the middle.</summary>
    const int LargestSide = 64;

    /// <summary>Every second block of so many rows is fitted to, the others are explained.</summary>
    const int BlockRows = 4;

    /// <summary>Cells by which a picture is moved for comparison.</summary>
    const int Move = 2;

    const double Ridge = 1e-3;

    /// <summary>Of 137 pairs of five latent spaces the least had 0.39 and the next 0.59; of 17 with the wrong picture 15 were below.</summary>
    const double SmallestShareExplained = 0.25;

    /// <summary>What a mirrored or moved picture may be ahead by: mirrored, some pictures look the same.</summary>
    const double Tolerance = 0.01;

    /// <summary>Why nothing is to be learned from a pair, as a sentence; null when something is.</summary>
    public static string? Problem(PicturePair pair, CancellationToken cancellation = default)
    {
        if (pair.Problem is { } problem)
        {
            return problem;
        }

        PicturePair small = pair.Reduce(1).Middle(LargestSide);
        (int height, int width) = (small.Height - (2 * Move), small.Width - (2 * Move));
        if (height < 2 * BlockRows || width < 2 * BlockRows)
        {
            return $"The latent has {pair.Height} x {pair.Width} cells; at least {(2 * BlockRows) + (2 * Move)} each way are needed.";
        }

        PicturePair latent = small.Crop(Move, Move, height, width);
        double own = Explained(latent, latent.Pixels);
        if (own < SmallestShareExplained)
        {
            return $"The latent explains {100 * Math.Max(0, own):0} % of the picture's colours; {100 * SmallestShareExplained:0} % were expected. It is another picture's.";
        }

        (int Down, int Right)[] moves = [(-Move, 0), (Move, 0), (0, -Move), (0, Move)];
        IEnumerable<byte[]> others = moves.Select(move => small.Crop(Move + move.Down, Move + move.Right, height, width).Pixels)
            .Concat([Mirror(latent, acrossRows: true), Mirror(latent, acrossRows: false)]);
        foreach (byte[] other in others)
        {
            cancellation.ThrowIfCancellationRequested();
            if (Explained(latent, other) > own + Tolerance)
            {
                return "The picture is mirrored or moved against its latent.";
            }
        }

        return null;
    }

    /// <summary>Of the colours' variance in the blocks that were not fitted to, the share that the map explains; below 0 where it is worse than their mean.</summary>
    static double Explained(PicturePair latent, byte[] pixels)
    {
        ColourFit fit = new(latent.Channels, 1);
        PicturePair pair = latent with { Pixels = pixels };
        List<PicturePair> rest = [];
        for (int top = 0; top < pair.Height; top += BlockRows)
        {
            PicturePair block = pair.Crop(top, 0, Math.Min(BlockRows, pair.Height - top), pair.Width);
            if (top / BlockRows % 2 == 0)
            {
                fit.Add(block.Planes, block.Pixels, heldOut: false);
            }
            else
            {
                rest.Add(block);
            }
        }

        try
        {
            using ILatentDecoder map = fit.Solve(ColourMapKind.Linear, Ridge).ToDecoder();
            double error = 0, scatter = 0;
            foreach (PicturePair block in rest)
            {
                byte[] made = new byte[block.Pixels.Length];
                map.Decode(block.Latent, made, 1, CancellationToken.None);
                error += Math.Pow(10, -ImageQuality.Psnr(made, block.Pixels) / 10) * made.Length * 4;
            }

            scatter = CalibrationPair.Scatter([.. rest.SelectMany(block => block.Pixels)]);
            return 1 - (error / Math.Max(scatter, double.Epsilon));
        }
        catch (LatentBridgeException)
        {
            return double.NegativeInfinity; // a channel is constant, or follows from others: no latent of a picture
        }
    }

    static byte[] Mirror(PicturePair pair, bool acrossRows)
    {
        byte[] mirrored = new byte[pair.Pixels.Length];
        for (int i = 0; i < pair.Height * pair.Width; i++)
        {
            (int y, int x) = Math.DivRem(i, pair.Width);
            int from = acrossRows ? ((pair.Height - 1 - y) * pair.Width) + x : (y * pair.Width) + pair.Width - 1 - x;
            pair.Pixels.AsSpan(3 * from, 3).CopyTo(mirrored.AsSpan(3 * i));
        }

        return mirrored;
    }
}
