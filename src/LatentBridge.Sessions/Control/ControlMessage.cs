using System.Text;
using System.Text.Unicode;
using Newtonsoft.Json;

namespace LatentBridge.Sessions.Control;

/// <summary>One line of the shim, read. The instance is reused: a member keeps its value until the next <see cref="Read"/>.</summary>
/// <remarks>
/// A member of <c>params</c> has one meaning whatever the method, so all are read into one flat object; unknown ones are skipped. Members may
/// come in any order. A member of the wrong type throws only after the whole line was read, so that the answer carries the id.
/// </remarks>
sealed class ControlMessage : IDisposable
{
    const int MaximumDepth = 16;
    const int KeptCharacters = 1 << 16;

    readonly LineText _text = new();
    string? _wrong;
    bool _hasWrongId;

    /// <summary>A long, a string, or null when there was none (then it is a notification: <see cref="HasId"/>).</summary>
    public object? Id { get; private set; }

    public bool HasId { get; private set; }

    public string Method { get; private set; } = "";

    public long? Protocol { get; private set; }

    public long? ProtocolMinimum { get; private set; }

    public string? Client { get; private set; }

    public long? Process { get; private set; }

    public List<string> Models { get; } = [];

    /// <summary>Decoders to leave out.</summary>
    public List<AvoidedDecoder> Avoid { get; } = [];

    public string? MappingKind { get; private set; }

    public long? MappingDescriptor { get; private set; }

    public string? MappingName { get; private set; }

    public long? Length { get; private set; }

    public long? Generation { get; private set; }

    public long? Slot { get; private set; }

    public long? Sequence { get; private set; }

    public long? Stream { get; private set; }

    public long? Run { get; private set; }

    public string? Format { get; private set; }

    public string? Space { get; private set; }

    /// <summary>What the model is called.</summary>
    public string? Model { get; private set; }

    /// <summary>The folder for what is kept.</summary>
    public string? Data { get; private set; }

    public OptionsPatch Options { get; } = new();

    /// <summary>Reads a line.</summary>
    /// <exception cref="ControlException">It is not JSON, not a request, or a member has the wrong type. <see cref="Id"/> is what could be read.</exception>
    public void Read(ReadOnlySpan<byte> line)
    {
        Clear();
        if (!Utf8.IsValid(line))
        {
            throw new ControlException(ControlException.NotJson, "The line is not UTF-8.");
        }

        _text.Set(line);
        using var json = new JsonTextReader(_text)
        {
            ArrayPool = CharacterPool.Instance,
            PropertyNameTable = MemberNames.Instance,
            DateParseHandling = DateParseHandling.None,
            MaxDepth = MaximumDepth,
            CloseInput = false,
        };
        string? version;
        bool hasMethod;
        try
        {
            (version, hasMethod) = ReadRequest(json);
            if (json.Read())
            {
                throw new ControlException(ControlException.NotJson, "More than one value in a line.");
            }
        }
        catch (Exception e) when (e is JsonException or OverflowException or FormatException)
        {
            Id = null;
            throw new ControlException(ControlException.NotJson, "The line is not JSON.");
        }

        if (version != "2.0")
        {
            throw new ControlException(ControlException.InvalidRequest, "A message needs \"jsonrpc\":\"2.0\".");
        }

        if (_hasWrongId)
        {
            throw new ControlException(ControlException.InvalidRequest, "An \"id\" is a string or an integer.");
        }

        if (!hasMethod)
        {
            throw new ControlException(ControlException.InvalidRequest, "A message needs a \"method\", a string.");
        }

        if (_wrong is not null)
        {
            throw new ControlException(ControlException.InvalidParams, _wrong);
        }
    }

    public void Dispose() => _text.Dispose();

    (string? Version, bool HasMethod) ReadRequest(JsonTextReader json)
    {
        if (!json.Read())
        {
            throw new ControlException(ControlException.NotJson, "The line is not JSON.");
        }

        if (json.TokenType != JsonToken.StartObject)
        {
            Finish(json);
            throw new ControlException(ControlException.InvalidRequest, "A message is one JSON object; batches are not supported.");
        }

        string? version = null;
        bool hasMethod = false;
        while (ReadName(json) is { } name)
        {
            switch (name)
            {
                case "jsonrpc":
                    version = json.Value as string;
                    Finish(json);
                    break;
                case "id":
                    HasId = true;
                    Id = json.Value is long or string ? json.Value : null;
                    _hasWrongId = Id is null && json.TokenType != JsonToken.Null;
                    Finish(json);
                    break;
                case "method":
                    Method = json.Value as string ?? "";
                    hasMethod = json.TokenType == JsonToken.String;
                    Finish(json);
                    break;
                case "params" when json.TokenType == JsonToken.StartObject:
                    ReadParams(json);
                    break;
                case "params":
                    _wrong ??= json.TokenType == JsonToken.Null ? null : "\"params\" must be an object.";
                    Finish(json);
                    break;
                default:
                    Finish(json);
                    break;
            }
        }

        return (version, hasMethod);
    }

    void ReadParams(JsonTextReader json)
    {
        while (ReadName(json) is { } name)
        {
            switch (name)
            {
                case "protocol":
                    Protocol = Number(json, name, 0, int.MaxValue);
                    break;
                case "protocolMinimum":
                    ProtocolMinimum = Number(json, name, 0, int.MaxValue);
                    break;
                case "client":
                    Client = Text(json, name);
                    break;
                case "process":
                    Process = Number(json, name, 1, int.MaxValue);
                    break;
                case "models":
                    ReadModels(json);
                    break;
                case "avoid":
                    ReadAvoid(json);
                    break;
                case "mapping":
                    ReadMapping(json);
                    break;
                case "length":
                    Length = Number(json, name, 0, long.MaxValue);
                    break;
                case "generation":
                    Generation = Number(json, name, 1, uint.MaxValue);
                    break;
                case "slot":
                    Slot = Number(json, name, 0, int.MaxValue);
                    break;
                case "sequence":
                    Sequence = Number(json, name, 0, (long)Ipc.Protocol.NumberLimit - 1);
                    break;
                case "stream":
                    Stream = Number(json, name, 0, uint.MaxValue);
                    break;
                case "run":
                    Run = Number(json, name, 0, (long)Ipc.Protocol.NumberLimit - 1);
                    break;
                case "format":
                    Format = json.TokenType == JsonToken.Null ? null : Text(json, name);
                    break;
                case "space":
                    Space = Text(json, name);
                    break;
                case "model":
                    Model = json.TokenType == JsonToken.Null ? null : Text(json, name);
                    break;
                case "data":
                    Data = json.TokenType == JsonToken.Null ? null : Text(json, name);
                    break;
                case "calibrate":
                    Options.Calibrate = Truth(json, name);
                    break;
                case "decoder":
                    Options.Decoder = Text(json, name);
                    break;
                case "size":
                    Options.Size = Number(json, name, 0, Previews.PreviewOptions.MaximumSize);
                    break;
                case "scaling":
                    Options.Scaling = Text(json, name);
                    break;
                case "batch":
                    Options.Batch = Text(json, name);
                    break;
                case "encoding":
                    Options.Encoding = Text(json, name);
                    break;
                case "quality":
                    Options.Quality = Number(json, name, 1, 100);
                    break;
                case "threads":
                    Options.Threads = Number(json, name, 0, 256);
                    break;
                case "lastStepMilliseconds":
                    Options.LastStepMilliseconds = Number(json, name, 0, 1000);
                    break;
            }

            Finish(json);
        }
    }

    void ReadModels(JsonTextReader json)
    {
        if (json.TokenType != JsonToken.StartArray)
        {
            _wrong ??= json.TokenType == JsonToken.Null ? null : "\"models\" must be a list of folders.";
            return;
        }

        while (json.Read() && json.TokenType != JsonToken.EndArray)
        {
            if (Text(json, "models") is { } folder)
            {
                Models.Add(folder);
            }

            Finish(json);
        }
    }

    void ReadAvoid(JsonTextReader json)
    {
        if (json.TokenType != JsonToken.StartArray)
        {
            _wrong ??= json.TokenType == JsonToken.Null ? null : "\"avoid\" must be a list of objects with \"decoder\" and \"file\".";
            return;
        }

        while (json.Read() && json.TokenType != JsonToken.EndArray)
        {
            if (json.TokenType != JsonToken.StartObject)
            {
                _wrong ??= "\"avoid\" must be a list of objects with \"decoder\" and \"file\".";
                Finish(json);
                continue;
            }

            string? decoder = null;
            string? file = null;
            while (ReadName(json) is { } name)
            {
                switch (name)
                {
                    case "decoder":
                        decoder = Text(json, name);
                        break;
                    case "file":
                        file = json.TokenType == JsonToken.Null ? null : Text(json, name);
                        break;
                }

                Finish(json);
            }

            if (decoder is null)
            {
                _wrong ??= "An entry of \"avoid\" has no \"decoder\".";
            }
            else
            {
                Avoid.Add(new(decoder, file));
            }
        }
    }

    void ReadMapping(JsonTextReader json)
    {
        if (json.TokenType != JsonToken.StartObject)
        {
            _wrong ??= "\"mapping\" must be an object.";
            return;
        }

        while (ReadName(json) is { } name)
        {
            switch (name)
            {
                case "kind":
                    MappingKind = Text(json, name);
                    break;
                case "fd":
                    MappingDescriptor = Number(json, name, 0, int.MaxValue);
                    break;
                case "name":
                    MappingName = Text(json, name);
                    break;
            }

            Finish(json);
        }
    }

    /// <summary>The next member's name, the reader on its value; null at the object's end.</summary>
    /// <remarks>Anything else there is a comment or a constructor, which Newtonsoft.Json reads and JSON does not have.</remarks>
    static string? ReadName(JsonTextReader json) =>
        !json.Read() ? throw new JsonReaderException()
        : json.TokenType == JsonToken.EndObject ? null
        : json.TokenType == JsonToken.PropertyName && json.Value is string name && json.Read() ? name
        : throw new JsonReaderException();

    /// <summary>Goes to the end of the value that the reader is on.</summary>
    static void Finish(JsonTextReader json)
    {
        if (json.TokenType is JsonToken.StartObject or JsonToken.StartArray)
        {
            int depth = json.Depth;
            while (json.Depth > depth || json.TokenType is JsonToken.StartObject or JsonToken.StartArray)
            {
                if (!json.Read())
                {
                    throw new JsonReaderException();
                }

                if (json.Depth == depth && json.TokenType is JsonToken.EndObject or JsonToken.EndArray)
                {
                    return;
                }
            }
        }
    }

    long? Number(JsonTextReader json, string name, long minimum, long maximum)
    {
        if (json.Value is long number && number >= minimum && number <= maximum)
        {
            return number;
        }

        _wrong ??= $"\"{name}\" must be an integer from {minimum} to {maximum}{(json.Value is { } found ? $", found {found}" : "")}.";
        return null;
    }

    string? Text(JsonTextReader json, string name)
    {
        if (json.Value is string text)
        {
            return text;
        }

        _wrong ??= $"\"{name}\" must be a string.";
        return null;
    }

    bool? Truth(JsonTextReader json, string name)
    {
        if (json.Value is bool truth)
        {
            return truth;
        }

        _wrong ??= $"\"{name}\" must be true or false.";
        return null;
    }

    void Clear()
    {
        _wrong = null;
        _hasWrongId = false;
        Id = null;
        HasId = false;
        Method = "";
        Protocol = ProtocolMinimum = Process = MappingDescriptor = Length = Generation = Slot = Sequence = Stream = Run = null;
        Client = MappingKind = MappingName = Format = Space = Model = Data = null;
        Models.Clear();
        Avoid.Clear();
        Options.Clear();
    }

    /// <summary>A line as the characters that the JSON reader wants.</summary>
    sealed class LineText : TextReader
    {
        char[] _characters = new char[512];
        int _length;
        int _position;

        public void Set(ReadOnlySpan<byte> line)
        {
            if (line.Length > _characters.Length || (_characters.Length > KeptCharacters && line.Length <= KeptCharacters))
            {
                _characters = new char[Math.Max(512, line.Length)];
            }

            _length = Encoding.UTF8.GetChars(line, _characters);
            _position = 0;
        }

        public override int Peek() => _position < _length ? _characters[_position] : -1;

        public override int Read() => _position < _length ? _characters[_position++] : -1;

        public override int Read(char[] buffer, int index, int count)
        {
            int taken = Math.Min(count, _length - _position);
            _characters.AsSpan(_position, taken).CopyTo(buffer.AsSpan(index));
            _position += taken;
            return taken;
        }
    }
}
