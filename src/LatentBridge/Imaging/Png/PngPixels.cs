using System.Buffers.Binary;

namespace LatentBridge.Imaging.Png;

/// <summary>Turns the samples of a row into 8-bit grey, RGB or RGBA.</summary>
sealed class PngPixels
{
    readonly PngHeader _header;
    readonly byte[] _palette;
    readonly byte[] _transparency;
    readonly int[] _transparentSamples = [-1, -1, -1];

    /// <summary>Checks the palette and the transparency against the kind of picture.</summary>
    public PngPixels(PngHeader header, byte[]? palette, byte[]? transparency)
    {
        _header = header;
        _palette = palette ?? [];
        _transparency = transparency ?? [];
        if (header.ColorType == PngColorType.Palette
            && (_palette.Length is 0 or > 768 || _palette.Length % 3 != 0 || _transparency.Length > _palette.Length / 3))
        {
            throw new LatentBridgeException(
                $"The PNG file is damaged: its palette has {_palette.Length} bytes and its transparency {_transparency.Length}; "
                + $"expected 3 to 768 in threes, and one a colour.");
        }

        bool keyed = header.ColorType is PngColorType.Grey or PngColorType.Rgb && transparency is not null;
        if (keyed)
        {
            if (_transparency.Length != 2 * header.Samples)
            {
                throw new LatentBridgeException(
                    $"The PNG file is damaged: its transparent colour has {_transparency.Length} bytes, expected {2 * header.Samples}.");
            }

            for (int i = 0; i < header.Samples; i++)
            {
                _transparentSamples[i] = BinaryPrimitives.ReadUInt16BigEndian(_transparency.AsSpan(2 * i));
            }
        }

        bool alpha = keyed
            || header.ColorType is PngColorType.GreyAlpha or PngColorType.Rgba
            || (header.ColorType == PngColorType.Palette && _transparency.Length > 0);
        Channels = alpha ? 4 : header.ColorType == PngColorType.Grey ? 1 : 3;
    }

    /// <summary>1, 3 or 4.</summary>
    public int Channels { get; }

    /// <summary>Writes <paramref name="width"/> pixels from <paramref name="at"/> on, <paramref name="step"/> bytes apart.</summary>
    public void Expand(ReadOnlySpan<byte> row, int width, Span<byte> picture, int at, int step)
    {
        if (_header.Depth == 8 && step == Channels && Channels == _header.Samples && _header.ColorType != PngColorType.Palette)
        {
            row[..(width * Channels)].CopyTo(picture[at..]);
            return;
        }

        for (int x = 0; x < width; x++, at += step)
        {
            Span<byte> pixel = picture.Slice(at, Channels);
            switch (_header.ColorType)
            {
                case PngColorType.Palette:
                    ExpandPalette(Sample(row, x), pixel);
                    break;
                case PngColorType.Grey or PngColorType.GreyAlpha:
                    pixel[0] = Eight(Sample(row, x * _header.Samples));
                    if (Channels == 4)
                    {
                        pixel[1] = pixel[2] = pixel[0];
                        pixel[3] = Alpha(row, x, 1);
                    }

                    break;
                default:
                    for (int c = 0; c < 3; c++)
                    {
                        pixel[c] = Eight(Sample(row, (x * _header.Samples) + c));
                    }

                    if (Channels == 4)
                    {
                        pixel[3] = Alpha(row, x, 3);
                    }

                    break;
            }
        }
    }

    void ExpandPalette(int index, Span<byte> pixel)
    {
        if ((index * 3) + 3 > _palette.Length)
        {
            throw new LatentBridgeException($"The PNG file is damaged: a pixel has colour {index} of a palette of {_palette.Length / 3}.");
        }

        _palette.AsSpan(index * 3, 3).CopyTo(pixel);
        if (Channels == 4)
        {
            pixel[3] = index < _transparency.Length ? _transparency[index] : (byte)255;
        }
    }

    /// <summary>The alpha sample behind <paramref name="colors"/> others, or from the transparent colour.</summary>
    byte Alpha(ReadOnlySpan<byte> row, int x, int colors)
    {
        if (_header.Samples > colors)
        {
            return Eight(Sample(row, (x * _header.Samples) + colors));
        }

        for (int c = 0; c < colors; c++)
        {
            if (Sample(row, (x * colors) + c) != _transparentSamples[c])
            {
                return 255;
            }
        }

        return 0;
    }

    int Sample(ReadOnlySpan<byte> row, int index)
    {
        int depth = _header.Depth;
        if (depth >= 8)
        {
            return depth == 8 ? row[index] : BinaryPrimitives.ReadUInt16BigEndian(row[(2 * index)..]);
        }

        // Smaller samples stand from the highest bit of a byte on.
        long bit = (long)index * depth;
        return (row[(int)(bit >> 3)] >> (8 - depth - (int)(bit & 7))) & ((1 << depth) - 1);
    }

    /// <summary>A sample of any depth in 8 bits, rounded: sample x 255 / the most.</summary>
    byte Eight(int sample) => _header.Depth switch
    {
        8 => (byte)sample,
        16 => (byte)(((sample * 255) + 32895) >> 16),
        int depth => (byte)(sample * 255 / ((1 << depth) - 1)),
    };
}
