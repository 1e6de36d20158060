using LatentBridge.Decoders;
using LatentBridge.Formats;
using LatentBridge.Previews;

namespace LatentBridge.Host.Commands;

/// <summary>What <c>decode</c> keeps from file to file: the renderer and decoder while the format stays, and the picture that is being written while the next is decoded.</summary>
/// <param name="encoders">For the renderer.</param>
sealed class DecodeWork(IReadOnlyList<IPictureEncoder> encoders) : IDisposable
{
    PreviewRenderer? _renderer;
    bool _isKept;
    Task _writing = Task.CompletedTask;
    byte[] _buffer = [];
    byte[] _written = [];

    /// <summary>The decoder, once <see cref="Take"/> was called for this file or, where it is kept, for an earlier one.</summary>
    internal ILatentDecoder? Decoder { get; private set; }

    /// <summary>The decoder's, under the name that people gave.</summary>
    internal DecoderDescription Description { get; private set; } = null!;

    /// <summary>The renderer for a file of this format. A decoder of another format, or one that carries something from picture to picture, is given up.</summary>
    internal PreviewRenderer Begin(LatentFormat format)
    {
        bool isSame = ReferenceEquals(_renderer?.Format, format);
        if (!isSame || !_isKept)
        {
            Decoder?.Dispose();
            Decoder = null;
        }

        if (!isSame)
        {
            _renderer?.Dispose();
            _renderer = new(format, encoders);
        }

        return _renderer!;
    }

    /// <summary>Takes a decoder over.</summary>
    internal void Take(ILatentDecoder decoder, DecoderDescription description, bool isKept) => (Decoder, Description, _isKept) = (decoder, description, isKept);

    /// <summary>Decodes and encodes what is staged.</summary>
    internal PreviewResult Render(PreviewOptions options)
    {
        PreviewResult result = _renderer!.Render(Decoder!, options, _buffer, CancellationToken.None);
        while (!result.Fits)
        {
            _buffer = new byte[result.ByteLength];
            result = _renderer.Render(Decoder!, options, _buffer, CancellationToken.None);
        }

        return result;
    }

    /// <summary>Writes what was rendered, while the next picture is decoded; waits for the one before.</summary>
    internal void Write(string path, int length)
    {
        Finish();
        (_buffer, _written) = (_written, _buffer);
        byte[] bytes = _written;
        _writing = Task.Run(() => File.WriteAllBytes(path, bytes.AsSpan(0, length)));
    }

    /// <summary>Waits for the last picture.</summary>
    internal void Finish() => _writing.GetAwaiter().GetResult();

    /// <inheritdoc/>
    public void Dispose()
    {
        Decoder?.Dispose();
        _renderer?.Dispose();
    }
}
